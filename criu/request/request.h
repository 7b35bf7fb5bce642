/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A request: the parameters of one run. The command line (cli/) and RPC fill it through the same table
 * (option_table.h), it is validated as a whole (validate.h), and its directories and log are opened (open.h). From then
 * on its options are read-only, and a run needs nothing else.
 */
#pragma once
#include <stdbool.h>
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
	CMD_PS = 2048,
	CMD_BOTH = CMD_DUMP | CMD_PRE_DUMP | CMD_RESTORE,
	CMD_ANY = 0xffff,
};

/* Reports an error in a request, one line without newline: to stderr, or in an RPC response. */
typedef void (*request_report_fn)(void *arg, const char *line);

struct request {
	struct options opts;
	unsigned int command; /* its command_bit; CMD_ANY: not known yet */
	const char *name; /* of that command: "dump"; borrowed */
	struct str_list
		taken; /* those that apply, in the order in which they were read: "NAME", "NAME=VALUE", "no-NAME" */
	bool again; /* the same options have been read before: no warnings, no side effects */
	int log_fd; /* the log file; -1: the log goes to stderr */
	request_report_fn report;
	void *report_arg;
};

/* Sets all defaults. 0 or -ENOMEM. */
int request_init(struct request *req, request_report_fn report, void *arg);
void request_free(struct request *req);

/* Rejects the request with this reason. Returns -EINVAL. */
int request_refuse(const struct request *req, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Reports a warning. */
void request_warn(const struct request *req, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
