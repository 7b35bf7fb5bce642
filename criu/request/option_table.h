/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The table of all options. The parsers of command lines (cli/options.c), config files (config.c) and RPC (rpc.c) have
 * no option of their own.
 */
#pragma once
#include "request/option_spec.h"

extern const struct option_spec option_table[];
extern const size_t option_table_nr;

/* NULL: not found. @len is the length of @name. */
const struct option_spec *option_find(const char *name, size_t len);
const struct option_spec *option_find_letter(char letter);
/* Rejects the unknown option @name; the message has @dashes and @where ("/etc/criu/default.conf:3: ") before it. */
int option_unknown(const struct request *req, const char *dashes, const char *name, const char *where);
