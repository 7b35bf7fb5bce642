/* SPDX-License-Identifier: GPL-2.0-only */
/* Every kind there is: table.c puts them in order. */
#pragma once
#include <stdbool.h>
#include "fs.pb-c.h"
#include "run/kind.h"

struct proc_timers;
struct clocks;

/* descriptors */
extern const struct fd_kind regular_kind, pipe_kind, fifo_kind, memfd_kind;
extern const struct fd_kind tty_kind, eventfd_kind, eventpoll_kind, timerfd_kind, signalfd_kind, inotify_kind,
	pidfd_kind, io_uring_kind;
extern const struct fd_kind unix_kind;
extern const struct fd_kind fanotify_kind, ns_kind, tun_kind, bpfmap_kind, mqueue_kind;
extern const struct fd_kind inet_kind, netlink_kind, packet_kind, unsupported_kind;

/*
 * File locks (kinds/fd/locks): around the pass over all descriptors; for each descriptor of each table, @fresh where its
 * file shows up first (1: a blocker was found, and nothing may open that file); when all tasks and files are known; when
 * every task waits to run (closing a file drops locks).
 */
int locks_begin(struct dump *dump);
void locks_end(struct dump *dump);
int locks_save(struct dump *dump, struct fd_probe *probe, uint32_t id, bool fresh);
int locks_load(struct restore *r);
int locks_ready(struct restore *r);

/* dump->path_file_id */
int regular_path_id(struct dump *dump, struct dump_task *task, int local, const char *link, unsigned flags,
		    uint32_t *ret_id);

/* tasks */
extern const struct task_kind cpu_kind, creds_kind, signals_kind, timers_kind, limits_kind, sched_kind, attributes_kind;
extern const struct task_kind terminal_kind; /* kinds/fd/tty: whose controlling terminal, which foreground */
extern const struct task_kind keyrings_kind, autogroup_kind, sem_undo_kind, landlock_kind, apart_kind, lsm_kind;
extern const struct task_kind robust_kind, rseq_kind, seccomp_kind, timed_call_kind, fs_kind;
/* What the dump pipeline asks of them. Working directory, root and umask, of the first task of each fs id: */
int fs_save(struct dump *dump, struct dump_task *task, FsEntry *ret);
/* The timers of task->inside, for which there is room: what the parasite has to be told of them. */
int timers_ask(struct dump_task *task, const struct proc_timers *timers);
/* seccomp.img, once, after the last task has been saved; also without filters. */
int seccomp_write(struct dump *dump);
/* cpuinfo.img, where --cpu-cap asks for it: written, or compared with this CPU. */
int cpuinfo_write(struct dump *dump);
int cpuinfo_load(struct restore *r);
/* Bytes of wire_alloc() that their hand_over takes at the most. */
size_t task_wire_size(const struct restore_task *task);
/*
 * Time namespaces (kinds/ns/time.c). Dump: of each task, and their images. Restore: read and check; in a new task, before
 * it forks: the root makes them all (where that cannot be, it is said, and no failure), others may have to enter one.
 */
int time_ns_survey(struct dump *dump, struct dump_task *task);
int time_ns_save(struct dump *dump);
int time_ns_load(struct restore *r, const TaskKobjIdsEntry *own);
int time_ns_load_task(struct restore *r, struct restore_task *task, const TaskKobjIdsEntry *ids);
int time_ns_enter(struct restore *r, const struct restore_task *task);
/* What the task's clocks show has gone on from here; zeros: it has not. */
struct clocks time_ns_stood(const struct restore *r, const struct restore_task *task);
/* What it asks of the memfd kind: is @local, which /proc calls so, memory without a path; its entry in files.img. */
bool memfd_is(int local, const char *link);
int memfd_path_id(struct dump *dump, struct dump_task *task, int local, const char *link, unsigned flags,
		  uint32_t *ret_id);
/* An entry of its own in files.img for the path of a descriptor that is more than a path (a FIFO): with its flags,
 * position and owner. */
int regular_save_beside(struct dump *dump, const struct fd_probe *probe, uint32_t *ret_id);
