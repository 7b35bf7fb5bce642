/* SPDX-License-Identifier: GPL-2.0-only */
/* What there is to know about one option. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "rpc.pb-c.h"

struct mode_list;
struct request;

enum arg_kind {
	ARG_NONE, /* a bool at .offset becomes true */
	ARG_STRING, /* a char * at .offset; the last one wins */
	ARG_LIST, /* a struct str_list at .offset; each one is added */
	ARG_MODE, /* an enum at .offset; the argument is a word of .modes */
	ARG_HANDLER, /* .parse takes the argument */
	ARG_OPTIONAL, /* .parse takes the argument or NULL */
	ARG_ACTION, /* no argument, .parse acts: gets NULL */
};

/* Sections of the help text. */
enum option_group { GROUP_MAIN, GROUP_FILES, GROUP_OUTSIDE, GROUP_MEMORY, GROUP_NET, GROUP_NS, GROUP_OTHER, GROUP_NR };

/*
 * The name is that of the long option and that of a line in a config file; what has no value and is acted upon at once
 * (ARG_ACTION) is for command lines alone.
 */
struct option_spec {
	const char *name;
	char letter; /* 0: none */
	bool built; /* false: parsed, then refused by name */
	unsigned int commands; /* command_bit's it means something for */
	enum option_group group;
	enum arg_kind kind;
	size_t offset; /* of the field in struct options */
	const struct mode_list *modes; /* ARG_MODE */
	/* 0, -EINVAL for a bad value (the caller says so, with .arg as what it should be), -EOPNOTSUPP, -ENOMEM */
	int (*parse)(struct request *req, const char *arg);
	const char *rpc; /* fields of criu_opts (images/rpc.proto): "shell_job", "ps.port", "a,b"; "": there is none */
	bool rpc_true_only; /* false in that field does nothing */
	/* Takes those fields; NULL: there is one, whose type says how (rpc.c) */
	int (*from_rpc)(struct request *req, const struct option_spec *spec, const CriuOpts *rpc);
	const char *arg; /* "PID": how help and errors call the argument; NULL: none */
	const char *help;
};
