/* SPDX-License-Identifier: GPL-2.0-only */
/* The parser of command lines. Mistakes are reported on stderr; returns -EINVAL or -ENOMEM. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "request/request.h"

/* What a command line holds besides options. Borrowed from argv. */
struct words {
	const char *command; /* first word, or NULL */
	const char *arg[2]; /* what follows it */
	size_t arg_nr;
	bool help, version;
};

/* Pass one: which command, which config files, help or version. Sets nothing in @req but these. */
int options_scan(int argc, char **argv, struct request *req, struct words *ret_words);
/* Pass two: everything, for req->command. */
int options_parse(int argc, char **argv, struct request *req);
