/* SPDX-License-Identifier: GPL-2.0-only */
/* Blockers of a dump: collected, so that one run reports all of them. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct blocker {
	struct blocker *next;
	pid_t pid;
	const char *comm;
	int fd; /* -1: not about a descriptor */
	const char *kind; /* "unix", "memory", ... */
	const char *path; /* of the descriptor, as shown in /proc; NULL: none */
	const char *text;
	bool transient; /* passes by itself */
};

struct blockers {
	struct blocker *first, *last;
	size_t nr, nr_transient;
};
