/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What is in a directory of images, for people. Unlike a restore this does not need all of it: what is missing or damaged is
 * named in @problems, and the rest is still there. Nothing in it is trusted, and nothing is executed or opened but images.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include "core.pb-c.h"
#include "fdinfo.pb-c.h"
#include "fs.pb-c.h"
#include "image/store.h"
#include "inventory.pb-c.h"
#include "memfd.pb-c.h"
#include "mm.pb-c.h"
#include "pstree.pb-c.h"
#include "run/describe.h"
#include "stats.pb-c.h"
#include "task/ns.h"
#include "util/arena.h"
#include "util/array.h"
#include "util/hash.h"

struct shown_fd {
	int fd;
	bool cloexec;
	const FileEntry *file; /* NULL: files.img does not have it */
};
ARRAY_OF(shown_fds, struct shown_fd);

struct shown_thread {
	pid_t tid;
	const char *comm;
};

enum shown_state { SHOWN_UNKNOWN, SHOWN_RUNNING, SHOWN_ZOMBIE, SHOWN_STOPPED };

struct shown_memory {
	uint64_t mapped; /* bytes of its mappings */
	uint64_t of_others; /* bytes that another process has in these images: at most, as zeros are not saved */
	uint64_t saved, in_parent, lazy; /* bytes in the images of this directory, of an older one, on a page server */
};

struct shown_task {
	pid_t pid, ppid, pgid, sid;
	struct shown_task *parent, *first_child, *last_child, *next; /* NULL: none in the tree */
	struct shown_task *following; /* parents before children, children in the order of the images */
	unsigned depth;
	enum shown_state state;
	uint32_t state_number; /* as in the image */
	const char *comm; /* "?" if unknown */
	const char *exe, *cwd, *root; /* NULL: unknown */
	const char *command; /* its arguments, with spaces between them; NULL: unknown */
	uint32_t uid;
	bool has_uid;
	struct shown_thread *threads;
	size_t nr_threads;
	const CoreEntry *core; /* NULL: unknown */
	const TaskKobjIdsEntry *ids; /* NULL: unknown */
	const MmEntry *mm; /* NULL: unknown, or it shares that of: */
	pid_t memory_of, files_of; /* 0: its own */
	struct shown_memory memory; /* 0 unless its own */
	struct shown_fds fds; /* empty unless its own */
};

/* The namespaces of the tree's root that are not those of the dumper. */
struct shown_namespaces {
	bool own[NS_TYPES];
	const char *hostname; /* in its UTS namespace; NULL: unknown */
	size_t mounts; /* 0: unknown */
};

ARRAY_OF(problem_array, const char *);

struct contents {
	struct arena arena;
	struct image_store *dir; /* borrowed */
	const InventoryEntry *inventory; /* NULL: there is none */
	const DumpStatsEntry *stats; /* NULL: unknown */
	int64_t written; /* time of inventory.img; 0: unknown */
	struct shown_task *tasks; /* in the order of pstree.img */
	size_t nr_tasks;
	struct shown_task *first; /* list by @following */
	struct shown_namespaces namespaces;
	uint64_t shared_memory; /* saved bytes of segments and memfds, which belong to no single task */
	FileEntry **files;
	size_t nr_files;
	MemfdInodeEntry **memfds;
	size_t nr_memfds;
	struct hash task_by_pid, file_by_id;
	struct hash tty_by_id, memfd_by_id; /* TtyInfoEntry, MemfdInodeEntry */
	struct record_finder finder; /* of those, for describe() */
	struct problem_array problems;
};

void contents_free(struct contents *c);
#define _cleanup_contents_ __attribute__((cleanup(contents_free)))

const char *shown_state_text(enum shown_state state);
const FileEntry *contents_file(const struct contents *c, uint32_t id);
