/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Internal to this module: the state of a daemon. It has two threads, and a third one if pages are at a source elsewhere
 * (remote.c): one answers faults and follows what processes do with their memory (serve.c), the other one supplies all
 * other pages in the background (prefetch.c). A second process, the holder (holder.c), shares its table of descriptors: if the daemon is killed, it makes what is missing inaccessible.
 */
#pragma once
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include "lazy/journal.h"
#include "lazy/space.h"
#include "lazy/sums.h"
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
	struct lazy_sums sums; /* of pages in the images; does not change */
	struct helper_process holder;
	pid_t self;
	int sock; /* to the restore; -1: it is done */
	pid_t tool; /* the restore, if it has connected to us */
	int work_dir; /* for a log of our own */
	int epoll;
	int kick; /* eventfd: the background has supplied the last page of a process, or cannot go on */
	int catch_up; /* eventfd: the holder should empty the journal */
	size_t arrived; /* processes of the images that restore has reported */
	bool left; /* restore has ended before the tree was complete */
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
	struct lazy_faults wanted; /* pages at the source that are waited for */
	_Atomic int failed; /* of the thread that fetches them: a negative errno */
	bool source_lost; /* what is only there is made inaccessible, and the rest still supplied */
	bool lost; /* pages that could not be read are inaccessible now */
	char *buffer, *chunk; /* of the first and of the second thread */
};

#define LAZY_AROUND \
	(64ul << 10) /* of a faulting page: a fault costs as much as several pages. Size of lazy_daemon.buffer */
#define LAZY_CHUNK (1ul << 20) /* is read, or asked for, at once in the background */
#define LAZY_BUSY_US 100
#define LAZY_STEP (64ul << 10) /* as much is put in place at once: a fault waits no longer for the background */
