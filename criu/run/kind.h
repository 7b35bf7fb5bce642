/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The interface between resource kinds and the pipelines: one file per kind, rows in kinds/table.c.
 *
 * Functions return 0 (unless noted otherwise) or a negative errno that they have already logged, with a text that helps
 * the user. LOG_SCOPE has pid and fd already when a kind is called.
 *
 * Where hooks run: those of a dump, and load, link and check of a restore, in the tool and its own namespaces, unless noted
 * otherwise. "In the task" (owner, root, session leader): in that process of the restore: a copy of the tool's memory, in the
 * namespaces of the root of the tree (of nested ones, only those that it was created in), before that memory is replaced. "In the namespaces of the
 * tree": in a process that shares the memory and descriptors of the tool, as in_namespaces.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>
#include "core.pb-c.h"
#include "fdinfo.pb-c.h"
#include "task/ns.h"

struct dump;
struct dump_path;
struct dump_task;
struct dump_thread;
struct restore;
struct restore_task;
struct restore_thread;
struct file;
struct ns;
struct description;
struct wire_task;
struct wire_thread;

/* ---- descriptors ---------------------------------------------------------------------- */

/* One descriptor of a frozen task, as seen from outside. */
struct fd_probe {
	struct dump_task *task;
	int fd; /* number in the task; -1: in flight, in a socket of the task */
	int local; /* our own copy of the descriptor (pidfd_getfd): borrowed, a kind never closes it */
	struct stat st; /* fstat */
	unsigned flags; /* F_GETFL: access mode and status flags, as in images (without O_CLOEXEC) */
	bool cloexec;
	int mnt_id; /* of statx, -1 unknown */
	uint64_t birth; /* statx_birth() */
	uint64_t pos; /* lseek(SEEK_CUR), 0 if not seekable */
	uint32_t fs_magic; /* statfs f_type */
	bool no_locks; /* kernel memory shows that there is none on the file */
	const char
		*link; /* readlink of /proc/PID/fd/N: "/path", "/path (deleted)", "pipe:[7]", "anon_inode:[eventfd]" */
	struct fdinfo *info; /* use fd_probe_info(), NULL until then */
};

struct fd_kind {
	const char *name; /* log scope, test name */
	FdTypes image_type; /* number in files.img */
	size_t state_size; /* of the zeroed struct that load fills */
	bool maps_itself; /* a mapping belongs to this very description: it uses the task's descriptor */
	bool by_name; /* open uses paths, only through run/names.h: assumed rights are kept for the next file */
	/*
	 * Optional: the length of a mapping of it, if mmap(2) accepts only that. Smaller ones are what munmap(2) left.
	 */
	uint64_t (*mapping_size)(const struct file *);
	bool for_untrusted; /* needs no privilege to be restored, and grants none: --untrusted-images */
	uint64_t restore_rights; /* BIT(enum right): every file needs them. For some: rights_need() in load */
	bool in_network; /* save and save_late run in the network namespace of the socket: run/network.h */
	bool unplaced; /* mmap(2) of it ignores the address: pie/restorer/placed.c */
	/* ---- dump: in the tool (but see in_network), tree frozen */
	bool (*claims)(const struct fd_probe *);
	/*
	 * Fills @entry: its sub-message is allocated by dump_alloc(); type and id are set. entry->id is the id of the
	 * file.
	 */
	int (*save)(struct dump *, const struct fd_probe *, FileEntry *entry);
	/* Optional; for every description after all files of the tree have been saved (epoll: its targets' ids...) */
	int (*save_late)(struct dump *, const struct fd_probe *, FileEntry *entry);
	/*
	 * Optional: the file id of a path that a task refers to by other means than a descriptor, for
	 * dump->path_file_id. The first kind that has this is called.
	 */
	int (*save_path)(struct dump *, const struct dump_path *, uint32_t *ret_id);
	/* ---- restore: load and link in the tool, when nothing of the tree exists */
	int (*load)(struct restore *, struct file *, void *state); /* reads and checks; no side effect */
	int (*link)(struct restore *, struct file *, void *state); /* finds peers, sets file->maker; no side effect */
	/*
	 * In the owner: creates a new descriptor (any number, O_CLOEXEC) and returns it. Other files that are created
	 * with it are passed on with restore_provide().
	 */
	int (*open)(struct restore *, struct file *, const void *state);
	/* In the owner, after every descriptor of every task is in place; @fd is the file's descriptor. Optional. */
	int (*finish)(struct restore *, struct file *, const void *state, int fd);
	/* ---- for people: criu check -D, criu ps */
	/*
	 * Optional: would open, or a later step, fail on this host? Logs each reason, as those would. In the tool, before anything
	 * of the tree exists; link may have been left out. No side effect, for anyone.
	 */
	int (*check)(struct restore *, struct file *, const void *state);
	/* Optional: what the file is (run/describe.h). Without it that is only the name of the kind. */
	void (*describe)(const FileEntry *, struct description *);
};

/* ---- tasks ------------------------------------------------------------------------------ */

#define TASK_KIND_ARGS 4096

/* A property of tasks and threads. Any function may be NULL. Order: kinds/table.c. */
struct task_kind {
	const char *name;
	/*
	 * dump: the whole tree is stopped, and no code of ours has run in it; namespaces are not known yet. Not called for a
	 * check.
	 */
	int (*stopped)(struct dump *, struct dump_task *);
	/* dump: the task is stopped: adds to task->parasite what the parasite is to query; may extend it */
	int (*ask)(struct dump *, struct dump_task *);
	/* dump: frozen, seen from outside; reports blockers with dump_blocker() */
	int (*survey)(struct dump *, struct dump_task *);
	/*
	 * dump: system calls can be injected into the stopped threads: task->ctl, with TASK_KIND_ARGS bytes for
	 * arguments
	 */
	int (*in_target)(struct dump *, struct dump_task *);
	/* dump: into the leader's core entry (tc set) / into every thread's core entry (thread_core set), after in_target */
	int (*save)(struct dump *, struct dump_task *, CoreEntry *);
	int (*save_thread)(struct dump *, struct dump_task *, struct dump_thread *, CoreEntry *);
	/* dump: the kind's own images, for a task that is not a zombie */
	int (*save_images)(struct dump *, struct dump_task *);
	/* restore: in the tool, when nothing of the tree exists: read and check; no side effect */
	int (*load)(struct restore *, struct restore_task *);
	int (*load_thread)(struct restore *, struct restore_task *, struct restore_thread *);
	/*
	 * restore: the tree has its own user namespace. In the process that creates the root, or in the root, before it enters
	 * that and loses its rights outside: what all tasks inherit, and may only lower later
	 */
	int (*before_user_ns)(struct restore *);
	/* restore: in a session leader, right after setsid(2): what the tasks that it forks inherit */
	int (*session)(struct restore *, struct restore_task *);
	/* restore: in the task, in C, before its memory is replaced; for what later steps do not change */
	int (*apply)(struct restore *, struct restore_task *);
	/*
	 * restore: in the task, before hand_over: an upper bound of what hand_over takes with wire_alloc(), beyond what
	 * has a fixed size per thread
	 */
	size_t (*wire_size)(struct restore *, const struct restore_task *);
	/*
	 * restore: in the task: passes the restorer what to set when the memory has been mapped (wire_alloc for arrays)
	 */
	int (*hand_over)(struct restore *, struct restore_task *, struct wire_task *);
	int (*hand_over_thread)(struct restore *, struct restore_task *, struct restore_thread *, struct wire_thread *);
	/*
	 * restore: in the tool, when nothing can fail any more; the thread is stopped with its own registers, the
	 * restorer has been removed from its process, and it will be released next. No system call may be injected.
	 */
	void (*resume_thread)(struct restore *, struct restore_task *, struct restore_thread *);
};

/* ---- runs ------------------------------------------------------------------------------- */

/*
 * What exists once in a tree, or is done once for all of it: namespaces, file locks, the common part of descriptors of
 * one kind. Every hook is optional, and called once, in the tool and its namespaces, unless noted otherwise.
 */
struct run_kind {
	const char *name;
	unsigned namespaces; /* BIT(enum ns_type): the types that it saves; all others must be the tool's own */
	bool can_join; /* restore: existing ones can be used instead (--join-ns, ns->joined); only link and later hooks are called */
	/* ---- dump: the tree is frozen, or dump_is_check(dump) */
	/* After every task has been surveyed, before the first file is saved. May report blockers. */
	int (*survey)(struct dump *);
	/*
	 * For each descriptor of each table. @fresh: its file, with id @id, is seen for the first time, and will be
	 * saved next. Returns 1 for a blocker: nothing may open that file.
	 */
	int (*save_fd)(struct dump *, struct fd_probe *, uint32_t id, bool fresh);
	/*
	 * After all files: for each namespace of its types other than the tool's own. Runs in that namespace, in a
	 * process that shares the memory and descriptors of the tool (kernel/ns_run.h).
	 */
	int (*save_namespace)(struct dump *, struct ns *);
	/*
	 * After all files: what depends on the whole tree (a pipe whose other end is outside it). May report blockers.
	 */
	int (*save_end)(struct dump *);
	/* After tasks and their memory: there is no blocker. */
	int (*save)(struct dump *);
	/* The tree may be running already: writes what has been collected. Images only. */
	int (*save_rest)(struct dump *);
	/* The images are complete, and the tree has not been killed: what has to outlive us. */
	int (*save_commit)(struct dump *);
	/*
	 * The images are complete, and the tree will be killed next. Errors are only warnings: the tree is killed in
	 * any case.
	 */
	void (*before_kill)(struct dump *);
	/* The dump is complete: the tree has been killed, or will be resumed. */
	void (*saved)(struct dump *);
	/* The dump has failed: removes what saving has left outside the images. */
	void (*save_undo)(struct dump *);
	/* ---- restore */
	/* The inventory is known, and nothing else. Reads and checks; no side effect. */
	int (*load)(struct restore *);
	/* All records of tasks and files have been read; before link of files. Reads and checks; no side effect. */
	int (*link)(struct restore *);
	/*
	 * For criu check -D, instead of all hooks below: would one of them fail on this host? Logs each reason, as those would.
	 * No side effect, for anyone.
	 */
	int (*check)(struct restore *);
	/*
	 * After the pre-restore script, when nothing of the tree exists yet, not even a namespace: creates, in the tool, what
	 * namespaces and tasks are created in.
	 */
	int (*prepare)(struct restore *);
	/*
	 * For each namespace of its types that is not the tool's own: reads its images and checks; no side effect. Before link;
	 * for user namespaces before any other record of tasks and files.
	 */
	int (*load_namespace)(struct restore *, struct ns *);
	/* User namespaces: creates it, in the tool, and stores its descriptor. All others are created by the pipeline after it. */
	int (*make_namespace)(struct restore *, struct ns *);
	/*
	 * For each of those, which has just been created, and which no task is in yet: runs inside of it, as in_namespaces, as
	 * root of the user namespace that owns it. A kind that has this hook leaves creating its namespaces, and entering them,
	 * to the pipeline (restore/namespaces.c).
	 */
	int (*fill_namespace)(struct restore *, struct ns *);
	/* All of them exist: in the tool, for what connects them with each other, or with the tool's own. */
	int (*namespaces_made)(struct restore *);
	/*
	 * The namespaces of the tree exist, and no task does: creates, in them, what all tasks inherit, in descriptors
	 * at or above service_base. Runs in the namespaces of the tree, with the memory and descriptors of the tool
	 * (restore/inside.c). On failure nothing is left behind.
	 */
	int (*in_namespaces)(struct restore *);
	/*
	 * In a new task, before it forks others: what it has to enter itself (a time namespace), or the root has to
	 * create.
	 */
	int (*at_birth)(struct restore *, const struct restore_task *);
	/* In the root, when all tasks exist, before they open their descriptors: what could not be done at its birth. With plan.all_born_first. */
	int (*all_born)(struct restore *);
	/* In a task: a file that is only in flight, in a socket, has been created, and will be sent. */
	int (*opened_in_flight)(struct restore *, const struct file *, int fd);
	/* In the tool, when every task has its descriptors and memory (STAGE_READY): hands over what the client asked for. */
	int (*before_post_restore)(struct restore *);
	/* After that; none of the tasks runs yet. */
	int (*ready)(struct restore *);
	/*
	 * All threads are stopped in the restorer: the last step that may fail. If it does, it undoes its own changes.
	 */
	int (*before_commit)(struct restore *);
	/* Nothing can fail any more. In the namespaces of the tree. */
	void (*committed)(struct restore *);
	/*
	 * After committed, in the tool: every thread is stopped with its own registers, and will be released next. No code
	 * may be executed in any task.
	 */
	void (*complete)(struct restore *);
	/* Every task runs: what only running programs can be notified of. */
	void (*running)(struct restore *);
	/*
	 * The restore has failed and no task of it is left: undoes changes outside the tree. In the namespaces of the
	 * tree.
	 */
	void (*failed)(struct restore *);
	/* The same, after it, in the tool itself. */
	void (*failed_outside)(struct restore *);
};

extern const struct fd_kind *const fd_kinds[]; /* NULL-terminated, in the order of claims; kinds/table.c */
extern const struct task_kind *const task_kinds[]; /* NULL-terminated, in the order of calls */
/* kinds/task/ARCH/cpu.c: the CPU type in images, and whether a core entry has the registers of that type. */
CoreEntry__March core_march(void);
bool core_has_registers(const CoreEntry *core);
extern const struct run_kind *const run_kinds[]; /* NULL-terminated, in the order of calls */
#define run_for_each_kind(kind) for (const struct run_kind *const *_row = run_kinds; ((kind) = *_row); _row++)
/* The row of a kind in any of these tables, below KIND_ROWS: index of the kind's data in a run. */
#define KIND_ROWS 96
size_t kind_row(const void *kind);
/* The kind that saves and restores namespaces of this type; NULL: none. */
const struct run_kind *kind_of_namespaces(enum ns_type type);
