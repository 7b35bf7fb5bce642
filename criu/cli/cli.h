/* SPDX-License-Identifier: GPL-2.0-only */
/* The commands and what they share. Exit statuses are the program's own: 0 done, 1 failed. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include "request/request.h"

struct progress;
struct words;

struct command {
	const char *name;
	unsigned int bit;
	bool built;
	size_t args; /* words it takes after its name */
	const char *usage; /* what follows the name */
	const char *summary; /* one line */
	const char *about; /* paragraphs of its own help page */
	int (*run)(struct request *req, const struct words *words);
};

extern const struct command commands[];
extern const size_t commands_nr;

const struct command *command_find(const char *name);

int dump_command(struct request *req, const struct words *words);
int restore_command(struct request *req, const struct words *words);
int check_command(struct request *req, const struct words *words);

/* check_tree.c: what stands in the way of a dump of opts->pid, on stdout. The exit status, or a negative errno. */
int check_tree(const struct options *opts);

/* help.c */
void help_main(void);
void help_command(const struct command *command);
void print_version(void);

/*
 * session.c: what surrounds a run. Validates the request, opens its directories and log, starts the progress line. On
 * failure, reported on stderr, nothing is left open.
 */
int session_begin(struct request *req);
/* @err: how the run ended. Says on stderr why it failed, if that is not there already. Returns the exit status. */
int session_end(struct request *req, int err);

/* progress.c: shared memory for the line, or NULL where nobody could see it. */
struct progress *progress_begin(const char *what, const struct options *opts);
void progress_close(struct progress *progress);
