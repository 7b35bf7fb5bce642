/* SPDX-License-Identifier: GPL-2.0-only */
/* The command line parser. Errors are reported on stderr; functions return 0, -EINVAL or -ENOMEM. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "request/request.h"

/* The words of a command line that are not options. Pointers into argv. */
struct words {
	const char *command; /* the first word, or NULL */
	const char *arg[2]; /* the words after it */
	size_t arg_nr;
	bool help, version, show_options;
	/* The command line itself, for a command that parses it again. */
	int argc;
	char **argv;
};

/* First pass: command, and which of help, version and show_options are asked for, and in @req only the config files. */
int options_scan(int argc, char **argv, struct request *req, struct words *ret_words);
/* Second pass: all options, for req->command. */
int options_parse(int argc, char **argv, struct request *req);
