/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The process that outlives the tool and holds what tracks the writes of processes between two dumps: for each address space a
 * userfaultfd, which tracks only as long as a descriptor of it is open somewhere. It has no other state than a table, which never
 * changes: the run that started it, whose images the next dump may refer to, and the processes. So each run that arms again starts a
 * tracker of its own and ends the one before; images of any other run do not match.
 *
 * It exits by itself with the last of its processes, and with the tool if that has not confirmed that its images are complete.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include "run/helper_process.h"
#include "util/array.h"

#define TRACKER_NAME "criu-tracker"
#define RUN_ID_SIZE 37 /* a UUID as text */

/* An address space: the process that owns it. */
struct kept {
	pid_t pid;
	int32_t fd; /* in the tracker: its userfaultfd; -1: none is needed */
	uint64_t start_time; /* /proc/PID/stat */
};
ARRAY_OF(kept_array, struct kept);

/* Somebody's tracker, found in /proc. */
struct tracker {
	char run_id[RUN_ID_SIZE];
	int pidfd;
	pid_t pid;
	struct kept_array kept;
	bool ended; /* tracker_kill() */
};
ARRAY_OF(tracker_array, struct tracker);

/* Appends all that were started by this user. 0 or a negative errno. */
int trackers_find(struct tracker_array *to);
void trackers_free(struct tracker_array *trackers);
const struct kept *tracker_has(const struct tracker *k, pid_t pid, uint64_t start_time);
/* A copy of its userfaultfd. */
int tracker_get(const struct tracker *k, const struct kept *kept);
/* Kills it, and waits until nobody can find it any more. -ETIMEDOUT */
int tracker_kill(struct tracker *k);

/* A new one, of this run. */
struct own_tracker {
	struct helper_process process;
	int control; /* as long as this is open and nothing was written, it exits with us */
};
#define OWN_TRACKER_NONE ((struct own_tracker){ HELPER_NONE, -1 })

/* It gets copies of the descriptors in @kept and of @pidfds, one for each. */
int tracker_start(const char *run_id, const struct kept_array *kept, const int *pidfds, struct own_tracker *ret);
/* It outlives us from here on. */
int tracker_confirm(struct own_tracker *k);
/* Otherwise. */
void tracker_drop(struct own_tracker *k);
