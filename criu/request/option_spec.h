/* SPDX-License-Identifier: GPL-2.0-only */
/* The description of one option. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "rpc.pb-c.h"

struct mode_list;
struct request;

enum arg_kind {
	ARG_NONE, /* sets a bool at .offset to true */
	ARG_STRING, /* a char * at .offset; the last one wins */
	ARG_LIST, /* a struct str_list at .offset; each one is appended */
	ARG_MODE, /* an enum at .offset; the argument is a name in .modes */
	ARG_HANDLER, /* .parse takes the argument */
	ARG_OPTIONAL, /* .parse takes the argument or NULL */
	ARG_ACTION, /* no argument; .parse is called with NULL */
};

/* Sections of the help text. */
enum option_group { GROUP_MAIN, GROUP_FILES, GROUP_EXTERNAL, GROUP_MEMORY, GROUP_NET, GROUP_NS, GROUP_OTHER, GROUP_NR };

/*
 * The name is that of the long option and the key in config files, except for ARG_ACTION, which is for command lines
 * only.
 */
struct option_spec {
	const char *name;
	char letter; /* 0: none */
	bool implemented; /* false: parsed, then rejected by name */
	unsigned int commands; /* command_bits of the commands it applies to */
	enum option_group group;
	enum arg_kind kind;
	size_t offset; /* of the field in struct options */
	const struct mode_list *modes; /* ARG_MODE */
	/*
	 * 0, -EINVAL for an invalid value (the caller reports it, with .arg as the expected one), -EOPNOTSUPP, -ENOMEM
	 */
	int (*parse)(struct request *req, const char *arg);
	const char *rpc; /* fields of criu_opts (images/rpc.proto): "shell_job", "ps.port", "a,b"; "": none */
	bool rpc_true_only; /* false in that field has no effect */
	/* Converts those fields; NULL: a single field, converted by its type (rpc.c) */
	int (*from_rpc)(struct request *req, const struct option_spec *spec, const CriuOpts *rpc);
	const char *arg; /* name of the argument in help and errors, "PID"; NULL: none */
	const char *help;
};
