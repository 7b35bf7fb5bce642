/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Options: one table (option_table.c) says everything about each, a parser that knows none of them reads command
 * lines, config files use the same parser a line at a time.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "run/options.h"

enum command_bit {
	CMD_DUMP = 1,
	CMD_PRE_DUMP = 2,
	CMD_RESTORE = 4,
	CMD_CHECK = 8,
	CMD_PAGE_SERVER = 16,
	CMD_LAZY_PAGES = 32,
	CMD_SERVICE = 64,
	CMD_SWRK = 128,
	CMD_DEDUP = 256,
	CMD_CPUINFO = 512,
	CMD_EXEC = 1024,
	CMD_BOTH = CMD_DUMP | CMD_PRE_DUMP | CMD_RESTORE,
	CMD_ANY = 0xffff,
};

enum arg_kind {
	ARG_NONE, /* a bool at .offset becomes true */
	ARG_STRING, /* a char * at .offset; the last one wins */
	ARG_LIST, /* a struct str_list at .offset; each one is added */
	ARG_HANDLER, /* .parse takes the argument */
	ARG_OPTIONAL, /* .parse takes the argument or NULL */
	ARG_ACTION, /* no argument, .parse acts: gets NULL */
};

/* Sections of the help text. */
enum option_group { GROUP_MAIN, GROUP_FILES, GROUP_OUTSIDE, GROUP_MEMORY, GROUP_NET, GROUP_NS, GROUP_OTHER, GROUP_NR };

struct option_spec {
	const char *name;
	char letter; /* 0: none */
	bool built; /* false: parsed, then refused by name */
	unsigned int commands; /* command_bit's it means something for */
	enum option_group group;
	enum arg_kind kind;
	size_t offset; /* of the field in struct options */
	/* 0, -EINVAL for a bad value (the parser says so, with .arg as what it should be), -ENOMEM */
	int (*parse)(struct options *opts, const char *arg);
	const char *arg; /* "PID": how help and errors call the argument; NULL: none */
	const char *help;
};

extern const struct option_spec option_table[];
extern const size_t option_table_nr;

/* What a command line holds besides options. Borrowed from argv. */
struct words {
	const char *command; /* first word, or NULL */
	const char *arg[2]; /* what follows it */
	size_t arg_nr;
	bool help, version;
};

/* The one word that a command line and its config files are about. */
unsigned int command_bit_of(const char *name);

/* Pass one: which command, which config files, help or version. Sets nothing in @opts but these. */
int options_scan(int argc, char **argv, struct options *opts, struct words *ret_words);
/* Pass two: everything. Errors are on stderr in the words of a person; returns -EINVAL or -ENOMEM. */
int options_parse(int argc, char **argv, unsigned int command, struct options *opts);
/* One option by its name, from @where ("/etc/criu/default.conf:3"). Options for other commands are passed over. */
int options_set(struct options *opts, unsigned int command, const char *name, const char *arg, const char *where);

/* config.c: the default files, CRIU_CONFIG_FILE and --config, in rising order of precedence. */
int config_load(struct options *opts, unsigned int command);
/* One file; @must: that it is missing is an error. */
int config_load_file(struct options *opts, unsigned int command, const char *path, bool must);

/* option_values.c: arguments that are more than a string */
int value_pid(struct options *opts, const char *arg);
int value_verbosity(struct options *opts, const char *arg);
int value_timeout(struct options *opts, const char *arg);
int value_ghost_limit(struct options *opts, const char *arg);
int value_tmpfs_files(struct options *opts, const char *arg);
int value_file_validation(struct options *opts, const char *arg);
int value_cpu_cap(struct options *opts, const char *arg);
int value_ext_unix_sk(struct options *opts, const char *arg);
int value_inherit_fd(struct options *opts, const char *arg);
int value_external(struct options *opts, const char *arg);
int value_network_lock(struct options *opts, const char *arg);
int value_pre_dump_mode(struct options *opts, const char *arg);
int value_manage_cgroups(struct options *opts, const char *arg);
int value_untrusted_images(struct options *opts, const char *arg);
int value_port(struct options *opts, const char *arg);
int value_ps_socket(struct options *opts, const char *arg);
int value_status_fd(struct options *opts, const char *arg);
int value_empty_ns(struct options *opts, const char *arg);
int value_veth_pair(struct options *opts, const char *arg);
int value_ext_mount(struct options *opts, const char *arg);
int value_close(struct options *opts, const char *arg);
int value_nothing(struct options *opts, const char *arg);
