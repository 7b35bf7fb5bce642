/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which pages a process has written since its previous images. Internal to this module, but for what memory.h declares.
 *
 * The kernel tracks writes to areas that have been armed: by soft-dirty bits, or by asynchronous write protection with a
 * userfaultfd. A page that was not written since is in the previous images (PAGES_PARENT) only if those are of the very run that
 * armed it, which the tracker vouches for. Whatever is not certain counts as written.
 *
 * The order is: all threads are stopped, areas are armed, pages are copied (then, or later). A write after the arming is seen by
 * the next run.
 */
#pragma once
#include <stdbool.h>
#include "kernel/pagemap_scan.h"
#include "memory/dump_memory.h"
#include "memory/tracker.h"
#include "run/dump.h"

struct pagemap;

/* A mapping, in the order of dt->maps. */
enum track_area {
	AREA_UNTRACKED, /* and foreign ones, as far as this is concerned */
	AREA_FRESH, /* tracked from now on */
	AREA_TRACKED, /* since some run before: pages show which of them have been written since that */
};

/* dt->memory->track of a process that owns its memory; NULL: nothing is known of it, and nothing wanted. */
struct task_track {
	uint8_t *areas; /* enum track_area of each of dt->maps */
	int uffd; /* ours of its memory; -1: none */
	bool known; /* a tracker has it */
	bool must_not_arm; /* the kernel may be writing to its pages without their page tables (track_is_pinned) */
	int mem; /* its memory, for a copy of it while it runs: also after an execve(2), when that of the pid is another one */
	struct page_scan scan; /* the same */
	struct pagemap
		*parent; /* its pages in the previous images, as far as the tracking started with those; NULL: none */
};

/* The ways of tracking: one is chosen per run. Functions return 0 or a negative errno, logged. */
struct track_backend {
	const char *name;
	uint64_t written; /* the category of a page that was written since it was armed */
	bool arms_by_scan; /* pages are armed by the scan that finds them (page_want.protect) */
	/* Is it available here? */
	bool (*probe)(void);
	/* Marks areas that are tracked already; those of dt->memory->track->uffd, if the tracker has one. */
	int (*find)(struct dump *dump, struct dump_task *dt);
	/* Marks further areas as fresh. Only if pages are going to be armed. */
	int (*extend)(struct dump *dump, struct dump_task *dt);
	/* Optional: arms all areas, after a scan. */
	int (*arm)(struct dump *dump, struct dump_task *dt);
};
extern const struct track_backend track_uffd, track_soft_dirty;

/* The state of a dump: dump->memory->tracking. */
struct tracking {
	const struct track_backend *backend; /* NULL: this kernel has none */
	bool arms; /* this run starts a tracker */
	bool trackers_known;
	struct tracker_array trackers;
	struct own_tracker own;
	/* The previous images: NULL if there are none. */
	struct image_store *parent;
	char parent_run_id[RUN_ID_SIZE]; /* "": of another program */
	bool parent_was_streamed; /* its pages are in the stream that this dump continues: track_stream.c */
	bool parent_is_summed; /* their checksums say which images belong to them */
	uint64_t parent_uptime; /* when they were made: microseconds of CLOCK_BOOTTIME */
};

/* track_parent.c: the link, the lock, the inventory. */
int track_open_parent(struct dump *dump);
/* track_stream.c: the receiver of the stream is told which images these refer to. Refuses images that were not in it. */
int track_refer_stream(struct dump *dump);
/* track_server.c: if pages are sent to a server: has it the previous images, too? Before anything is frozen. */
int track_ask_server(struct dump *dump);
/*
 * The pages of a process in the previous images, or, if these are sent to a server, in its previous images. -ENOENT: there are none; other
 * errors are logged.
 */
int track_load_parent(const struct dump *dump, uint64_t pid, struct pagemap **ret_map);
/* Are those images of this tree? Warns if they are of no use. */
int track_check_parent(struct dump *dump);
/* Closes what is known of a task. */
void track_forget(struct dump_task *dt);
/* Drops a tracker that was not confirmed. */
void track_end(struct dump *dump);
/* track_areas.c: may the pages of dt->maps.v[i] be tracked at all? */
bool track_is_eligible(const struct dump_task *dt, size_t i);
/* Is the kernel, or a device, maybe writing to pages of the process by other means than its page tables? Logged. */
int track_is_pinned(struct dump *dump, struct dump_task *dt, bool *ret);
/* Which area is this mapping in? */
static inline enum track_area track_area_of(const struct dump_task *dt, size_t i)
{
	return dt->memory->track && dt->memory->track->areas ? (enum track_area)dt->memory->track->areas[i] :
							       AREA_UNTRACKED;
}
/* Does this run need to know what has been written since the previous one? */
static inline bool track_is_wanted(const struct dump *dump)
{
	return dump->opts->track_mem || dump->opts->parent_dir;
}
