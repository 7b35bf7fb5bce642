/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Options: one table says everything about each. The parser of command lines (cli/options.c), config files (config.c)
 * and RPC (rpc.c) know none of them.
 */
#pragma once
#include "request/option_spec.h"

extern const struct option_spec option_table[];
extern const size_t option_table_nr;

/* NULL: there is none. @len: of @name. */
const struct option_spec *option_find(const char *name, size_t len);
const struct option_spec *option_find_letter(char letter);
/* Refuse the unknown option @name, as the user wrote it: with @dashes, @where ("/etc/criu/default.conf:3: "). */
int option_unknown(const struct request *req, const char *dashes, const char *name, const char *where);
