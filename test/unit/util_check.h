/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A unit test is a program: it prints "ok NAME" or "not ok NAME: why" for each case and "1..N" when all N have run, and
 * exits with status 1 if one failed.
 */
#pragma once
#include <stdio.h>
#include <string.h>

static int check_failed_total, check_total;
static const char *check_why;
static int check_line;

/* Ends the case at the first failed condition. */
#define CHECK(cond)                            \
	do {                                   \
		if (!(cond)) {                 \
			check_why = #cond;     \
			check_line = __LINE__; \
			return;                \
		}                              \
	} while (0)
#define CHECK_STR(a, b) CHECK(!strcmp((a), (b)))

#define RUN(fn)                                                                                 \
	do {                                                                                    \
		check_why = NULL;                                                               \
		check_total++;                                                                  \
		fn();                                                                           \
		if (check_why) {                                                                \
			printf("not ok %s: %s:%d: %s\n", #fn, __FILE__, check_line, check_why); \
			check_failed_total++;                                                   \
		} else {                                                                        \
			printf("ok %s\n", #fn);                                                 \
		}                                                                               \
		fflush(stdout);                                                                 \
	} while (0)

#define DONE()                                  \
	do {                                    \
		printf("1..%d\n", check_total); \
		return check_failed_total != 0; \
	} while (0)
