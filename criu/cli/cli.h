/* SPDX-License-Identifier: GPL-2.0-only */
/* The commands, and what they share. Commands return an exit status of the program: 0 success, 1 failure. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include "request/request.h"

struct progress;
struct words;

struct command {
	const char *name;
	unsigned int bit;
	bool implemented;
	size_t args; /* number of arguments after its name */
	const char *usage; /* synopsis after the name */
	const char *summary; /* one line */
	const char *about; /* description on its help page */
	int (*run)(struct request *req, const struct words *words);
};

extern const struct command commands[];
extern const size_t commands_nr;

const struct command *command_find(const char *name);

int dump_command(struct request *req, const struct words *words);
int dedup_command(struct request *req, const struct words *words);
int restore_command(struct request *req, const struct words *words);
int service_command(struct request *req, const struct words *words);
int cpuinfo_command(struct request *req, const struct words *words);
int lazy_pages_command(struct request *req, const struct words *words);
int swrk_command(struct request *req, const struct words *words);
int ps_command(struct request *req, const struct words *words);
int page_server_command(struct request *req, const struct words *words);
int check_command(struct request *req, const struct words *words);

/*
 * check_tree.c: prints on stdout what would make a dump of opts->pid fail. Returns the exit status, or a negative
 * errno.
 */
int check_tree(const struct options *opts);
/* check_images.c: the same for what would make a restore of opts->images_dir fail. */
int check_images(const struct options *opts);

/* help.c */
void help_main(void);
void help_command(const struct command *command);
void print_version(void);

/*
 * session.c: begin and end of a run. Validates the request, opens its directories and log, starts the progress line. On
 * failure, which is reported on stderr, nothing is left open.
 */
int session_begin(struct request *req);
/* @err: result of the run. Reports on stderr why it failed, unless the log did already. Returns the exit status. */
int session_end(struct request *req, int err);

/* progress.c: the progress line, in shared memory, or NULL if it would not be visible. */
struct progress *progress_begin(const char *what, const struct options *opts);
void progress_close(struct progress *progress);
