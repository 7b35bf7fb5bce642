/* SPDX-License-Identifier: GPL-2.0-only */
/* Restores a process tree: the phases, in order. Each logs its errors and returns -errno. */
#pragma once
#include <stdbool.h>
#include <sys/types.h>
#include "run/options.h"

struct restore;
struct restore_task;

struct restore_result {
	pid_t root_pid; /* in the tool's pid namespace; 0: it was not created. After a failure it does not exist any more */
	int wait_status; /* of the root, unless restore_detached */
};

/*
 * The whole restore. With restore_detached it returns as soon as the tree runs; otherwise it waits for the root. After a
 * failure nothing of the tree is left.
 */
int restore_run(const struct options *opts, struct restore_result *ret);

struct obstacles;
/*
 * check.c: criu check -D: reports each obstacle to a restore, which has report and arg set. Nothing is changed. 0 or a negative
 * errno, logged: it could not be found out.
 */
int restore_check(const struct options *opts, struct obstacles *obstacles);

/* The parts of restore_run, for callers that need a single phase (test/fuzz). */
struct restore *restore_new(const struct options *opts);
void restore_free(struct restore *r);
/* --root, with the credentials of the user who passed it. */
int restore_open_root(struct restore *r);
int restore_open_images(struct restore *r);
/* Reads and checks every entry. No side effect. */
int restore_load(struct restore *r);
/* Decides which task creates what, and in which order. No side effect; afterwards the plan is read-only. */
int restore_link(struct restore *r);
/* Its part for descriptors. link_files.c */
int restore_link_files(struct restore *r);
/* verify.c: nothing is created before this has succeeded. */
int restore_verify_images(struct restore *r);
/*
 * namespaces.c: namespaces of the tree that are not the tool's own. Loaded before restore_link; created in the tool,
 * before any task; entered by a new task; closed when no task needs them any more.
 */
int restore_join_namespaces(struct restore *r); /* --join-ns: opens them, in place of those of the root. join.c */
int restore_load_user_namespaces(struct restore *r); /* before records of tasks: r->rights depends on them */
int restore_load_namespaces(struct restore *r);
int restore_make_namespaces(struct restore *r);
/* Is the root created by a process that has entered all its namespaces? They own its pid namespace. */
bool restore_root_is_made_inside(const struct restore *r);
int restore_enter_namespaces(struct restore *r, const struct restore_task *rt);
/* Later: when the task has forked all others. */
int restore_enter_user_ns_late(struct restore *r, const struct restore_task *rt);
/* In a task that lives in another user namespace than the root: enters it, right before the restorer runs. */
int restore_enter_nested_user_ns(struct restore *r, const struct restore_task *rt);
void restore_close_namespaces(struct restore *r);
/* Is somebody notified when the root is in them? Other namespaces than the tool's, except for those of time. */
bool restore_announces_namespaces(const struct restore *r);
/* In the tool, for the namespaces of the tree: the hooks in_namespaces, committed and failed of all run kinds. inside.c */
int restore_make_inside(struct restore *r);
void restore_report_committed(struct restore *r);
void restore_report_failed(struct restore *r);
/* In the tool: starts the process that opens what tasks in a user namespace of their own may not. outside.c, run/outside.h */
int restore_begin_outside(struct restore *r);
/* In the tool, for --lazy-pages: finds or starts the daemon, before any task; tells it that the tree is complete. lazy.c */
int restore_lazy_begin(struct restore *r);
int restore_lazy_complete(struct restore *r);
/* A task that waits for a page holds a copy of its own userfaultfd: it would wait for ever if the daemon ends before it has taken the other. */
int restore_lazy_look(const struct restore *r);
/* In the tool: makes many forks cheaper. page_tables.c */
void restore_prepare_forks(struct restore *r);
/*
 * In a process of the tool that shares the memory of this one, which is to be the last to end, and forks the root if that is to be
 * a child of our parent, but created inside (sibling.c). make() is everything that needs our rights: we have none after fork_root().
 */
bool restore_needs_sibling(const struct restore *r);
int restore_make_as_sibling(struct restore *r, int (*make)(struct restore *r), int (*fork_root)(struct restore *r));
/* In that process. */
struct sibling;
int sibling_fork_root(struct sibling *s);
/* In the process that forks it: enters the namespaces of the root first, for good. */
int restore_fork_root_inside(struct restore *r);
/* How long a pid that a zombie has is waited for, and what to do about other processes: for a restore, and criu check -D. */
#define TAKEN_WAIT_US 10000000u
#define TAKEN_STEP_US 1000u
#define MEMORY_WAIT_US 60000000u
#define TAKEN_ADVICE_ELSE "restore in a pid namespace of its own: criu-ns restore"
#define TAKEN_ADVICE "end it, or " TAKEN_ADVICE_ELSE
/* In the tool, before it creates any process: those that it will create get no numbers of the tree (own_numbers.c). */
int restore_leave_numbers(struct restore *r);
/* In the tool: forks the root; every task then forks its own children and continues by itself. */
int restore_fork_tree(struct restore *r);
/* In a task: becomes the zombie that it was, by exiting in the same way. zombies.c */
_Noreturn void restore_exit_as_zombie(struct restore_task *rt);
/* In a task: the dead children are zombies, and their SIGCHLD has arrived, before signals are restored. */
int restore_await_zombies(struct restore *r, struct restore_task *rt);
/* Does the tree live in another pid namespace than the tool? */
bool restore_has_pid_ns(const struct restore *r);
/* A pid namespace that exists already (--inherit-fd), which the tree is to be part of; -1: it gets a new one, or none. */
int restore_pid_ns_given(const struct restore *r);
/* In the tool, when the root exists. */
int restore_find_pid_ns(struct restore *r);
/* In the tool, when every task and thread exists: fills in host_pid and host_tid, which are 0 before, and in tasks. */
int restore_find_numbers(struct restore *r);
/* In a task, when it has forked its children: maps the restorer's region, and prepares its memory. hand_over.c */
int restore_prepare_memory(struct restore *r, struct restore_task *rt);
/* In a task, before it waits for others: one that opens no files of its own sleeps until all are open. */
int restore_await_files(struct restore *r, struct restore_task *rt);
/* In a task: opens or receives every descriptor. */
int restore_open_files(struct restore *r, struct restore_task *rt);
/* In a task: creates those of its threads that must exist when files are opened; they wait. */
int restore_early_threads(struct restore *r, struct restore_task *rt);
/* In the tool, before the first fork: maps the code of the restorer, for all tasks. */
int restore_lay_blob(struct restore *r);
/* Where memory shared by all tasks is mapped, so that it is in the restorer's region already; 0: anywhere. */
uint64_t restore_shared_place(const struct restore *r);
/* In a task: its memory is replaced by the saved one; returns only on errors. */
int restore_hand_over(struct restore *r, struct restore_task *rt);
/* In the tool: if it dies before the tree runs, the pid file, in @dir, is removed. Until pidfile_unwatch(). */
int pidfile_watch(struct restore *r, int dir);
void pidfile_unwatch(struct restore *r);
/* In the tool: every task is ready; from here on the tree survives us. */
int restore_commit(struct restore *r);
/* A part of it, when every thread is stopped: seccomp filters. filters.c */
int restore_install_filters(struct restore *r);
/* In the tool: waits until the root exits; forwards signals to it, and does the job control of a shell's job. */
int restore_wait(struct restore *r, int *ret_wait_status);
/* In the tool: raises its limits as far as service_base needs; moves all descriptors that tasks need above that. */
int restore_make_room_for_fds(struct restore *r);
int restore_move_service_fds(struct restore *r);
/* In the tool: notifies of a step (run/notify.h), with the limits and credentials of the user who started us. */
int restore_script(struct restore *r, const char *action, pid_t pid);
/* In the tool, after a failure. */
void restore_kill_all(struct restore *r);
/* dedup.c: with --auto-dedup, once the tree runs: frees what the images have of its pages. Warns if it cannot. */
void restore_dedup(struct restore *r);
