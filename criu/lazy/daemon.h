/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Internal to this module. The daemon has two threads: one answers faults and follows what processes do with their
 * memory (serve.c), the other one supplies all other pages in the background (prefetch.c). A second process, the
 * holder (holder.c), shares its table of descriptors: if the daemon is killed, it makes what is missing inaccessible.
 */
#pragma once
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include "lazy/journal.h"
#include "lazy/space.h"
#include "run/helper_process.h"
#include "util/array.h"

struct image_store;
struct remote;
struct options;

struct lazy_fault {
	struct lazy_space *space;
	uint64_t addr;
};
ARRAY_OF(lazy_faults, struct lazy_fault);

struct lazy_daemon {
	const struct options *opts;
	struct lazy_journal *journal;
	struct helper_process holder;
	pid_t self;
	int sock; /* to the restore; -1: it is done */
	int work_dir; /* for a log of our own */
	int epoll;
	int kick; /* eventfd: the background has supplied the last page of a process, or cannot go on */
	int catch_up; /* eventfd: the holder should empty the journal */
	size_t arrived; /* processes of the images that restore has reported */
	bool committed; /* restore has said that the tree is complete */
	/* Below: held from before events are read until the spaces are as they say, and while pages are put in place. */
	pthread_mutex_t lock;
	pthread_cond_t more; /* with @lock: there may be something for the background */
	_Atomic uint32_t fault_waits; /* the background keeps off the lock */
	struct lazy_space *spaces;
	struct lazy_faults retry; /* faults of processes that were just changing their map */
	bool has_background;
	pthread_t background;
	bool stop; /* the background is to end */
	struct remote *remote; /* remote.c; NULL: all pages are in the images */
	_Atomic int failed; /* of the thread that fetches them: a negative errno */
	bool lost; /* pages that could not be read are inaccessible now */
	char *buffer, *chunk; /* of the first and of the second thread */
};

/* load.c: what has to be supplied for the tree of the images. Errors are logged. */
int lazy_load(struct lazy_daemon *d, struct image_store *dir);

/* arrivals.c: takes what restore has sent. 1: it has closed the connection; errors are logged. */
int arrivals_take(struct lazy_daemon *d);
/* In the holder: those that the daemon has taken. */
void arrivals_follow(struct lazy_daemon *d);

/* events.c: the processes' changes of their memory. -ENOMEM. */
int event_apply(struct lazy_daemon *d, struct lazy_space *space, const struct uffd_msg *msg);
/* The space with this descriptor, or NULL. */
struct lazy_space *space_by_uffd(const struct lazy_daemon *d, int uffd);

/* supply.c, with the lock. */
/* Puts [addr, addr + len) of @range, whose content is @from, in place. -EAGAIN: events have to be read first. */
int supply(struct lazy_daemon *d, struct lazy_space *space, const struct lazy_range *range, uint64_t addr, uint64_t len,
	   const char *from);
/* An access to @addr waits. -EAGAIN likewise. */
int supply_fault(struct lazy_daemon *d, struct lazy_space *space, uint64_t addr);
/* They could not be read: whoever accesses them gets SIGBUS. */
int supply_lost(struct lazy_daemon *d, struct lazy_space *space, const struct lazy_range *range, uint64_t addr,
		uint64_t len, int err);
#define LAZY_STEP (64ul << 10) /* as much at once: a fault waits no longer for the background */

/* serve.c: the first thread. 0 when nothing is missing any more; errors are logged. */
int serve(struct lazy_daemon *d);

/* prefetch.c: the second thread. */
int prefetch_start(struct lazy_daemon *d);
void prefetch_end(struct lazy_daemon *d);

/* holder.c; 0 or a negative errno, logged. */
int holder_start(struct lazy_daemon *d);

/* daemon.c */
void lazy_init(struct lazy_daemon *d, const struct options *opts);
/* Pages that are neither in the images nor at a server are an error. */
int lazy_check_local(const struct lazy_daemon *d);
/* With a connection, and the images loaded: from here on the holder cares for what is missing if we are killed. */
int lazy_begin(struct lazy_daemon *d);
int lazy_serve(struct lazy_daemon *d);
/* Is the log a file? */
bool lazy_has_log_file(void);
/* Lines of the log go to a file from now on. */
void lazy_log(struct lazy_daemon *d);
