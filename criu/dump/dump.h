/* SPDX-License-Identifier: GPL-2.0-only */
/* Freezes a process tree and saves it: the phases, in order. Each logs its errors and returns -errno. */
#pragma once
#include <signal.h>
#include "run/blockers.h"
#include "run/options.h"

struct dump;
struct dump_task;
struct dump_thread;
struct ns;
struct parasite_policy_list;
struct pid_array;
struct proc_stat;
struct proc_status;

/* The whole dump. 0, or a negative errno that has been logged; the tree is then as before. */
int dump_run(const struct options *opts);

/*
 * criu check -t: reports each obstacle to a dump. Nothing is stopped or changed. Returns their number, or a negative
 * errno that has been logged.
 */
int dump_check(const struct options *opts, void (*report)(void *arg, const struct blocker *blocker), void *arg);

/*
 * phases.c: runs every phase of dump->mode until one fails. Blockers are reported (except by a check); afterwards the
 * tree is resumed or killed, and what a failed dump has created is removed.
 */
int dump_run_phases(struct dump *dump);

/* life.c. NULL if out of memory. */
struct dump *dump_new(const struct options *opts);
void dump_free(struct dump *dump);

/* tree.c. -ESRCH or -ENOENT if the task has exited; not logged except for the root. */
int dump_add_task(struct dump *dump, pid_t pid, struct dump_task *parent, struct dump_task **ret_task);
/* Adds children that are not known yet; returns their number. */
int dump_add_children(struct dump *dump, struct dump_task *dt);
void dump_drop_task(struct dump *dump, struct dump_task *dt);
/* Name, group, session, exit code. Not logged. */
int dump_read_stat(struct dump_task *dt);
/* Reports a process in which our code cannot run: a 32-bit program. */
void dump_foreign_blocker(struct dump *dump, const struct dump_task *dt);
/* filtered.c: whether a thread is under seccomp, and that cannot be saved: then it is a blocker. */
bool dump_filtered_blocker(struct dump *dump, const struct dump_task *dt);
/* entered.c: with the status of the root: whether its pid namespace is not the tool's, and @dump is to find all in it. */
int dump_note_pid_ns(struct dump *dump, const struct dump_task *root, const struct proc_status *status);
/* Adds processes that entered that namespace from outside, and are not known yet; returns their number. */
int dump_add_entered(struct dump *dump);
/* namespaces.c: saves the contents of the tree's namespaces. */
int dump_save_namespaces(struct dump *dump);
/* mounts.c: the mounts and the root of a mount namespace: dump->mounts, dump->roots. */
int dump_read_mounts(struct dump *dump, struct ns *ns);
void dump_close_roots(struct dump *dump);
/* numbers.c: when all tasks and threads are known, fills in the pids that the tree itself sees. */
int dump_number_tasks(struct dump *dump);
/*
 * The first thread of @dt has exited, @tid is running: /proc and other interfaces are queried for that one instead, and
 * the descriptors are copied through its pidfd (@dt has none yet). The process keeps its pid, dt->t.pid.
 */
int dump_ask_of(struct dump_task *dt, pid_t tid);
/* Finds which tasks share what, before any code runs in them. */
int dump_find_shared(struct dump *dump);
/* Which call a thread was interrupted in, and how much of its time is left, if kernel memory can be read. */
void dump_find_timed_call(struct dump *dump, struct dump_thread *th, int thread_dir);
/* Called when th->cpu is known: the call continues with the rest of its time, or returns EINTR. */
void dump_settle_timed_call(struct dump_thread *th);

/* threads.c. The signal dispositions from before; the calls between begin and end need what is set up there. */
struct dump_stopping {
	struct sigaction child, tick;
	sigset_t mask;
};
void dump_stop_begin(struct dump *dump, struct dump_stopping *ret_was);
void dump_stop_end(const struct dump_stopping *was);
/*
 * Stops the current threads of @dt. Returns how many were new: call it until there are none. -ESRCH or -ENOENT, not
 * logged, if the process has exited; if it is a zombie, its state is TASK_DEAD then.
 */
int dump_stop_threads(struct dump *dump, struct dump_task *dt);
/*
 * attached.c. Detaches from those of @attached that have stopped by now, and drops those that have exited. Does not
 * wait.
 */
void dump_release_attached(struct pid_array *attached);
/* Is @tid in the list, and still traced by us? Removes it from the list. */
bool dump_take_attached(struct pid_array *attached, pid_t tid);
/* thread_list.c. Kernel workers (io_uring, vhost) appear among the threads, and may be traced, but have no code. */
bool dump_is_worker(const struct proc_stat *stat);
/* The first thread has exited: dt->threads starts with a placeholder for it. */
int dump_stand_in(struct dump_task *dt);
struct dump_thread *dump_find_thread(const struct dump_task *dt, pid_t tid);

/* Stops every thread of the tree; nothing in it changes any more afterwards. */
int dump_seize(struct dump *dump);
/* check.c: replaces dump_seize for a check: records the tree as it is now, and leaves it running. */
int dump_check_tree(struct dump *dump);
int dump_check_fds(struct dump *dump);
/*
 * read_threads.c: reads what is visible from outside. -EAGAIN, not logged: a thread is in code that a dumper that died
 * left behind.
 */
int dump_read_threads(struct dump *dump, struct dump_task *dt);
/* With fewer, running code in each process takes no longer than opening the reader of kernel memory. */
#define ALIKE_MIN 12
#define ALIKE_MIN_THREADS 96 /* of one process */
/* kernel_memory.c, before the tree is stopped: opens the readers of kernel memory that are probably needed. */
int dump_prepare_kernel_memory(struct dump *dump);
/* kernel_memory.c: dump->kernel_tasks, if it has not been opened. 0 or a negative errno, not logged. */
int dump_open_kernel_tasks(struct dump *dump);
/* alike.c: fills in dt->kernel of all tasks, if kernel memory can be read and that is worthwhile. */
int dump_read_kernel_tasks(struct dump *dump);
/*
 * Instead of a visit: @dt would give the same answers as another task, except for what kernel memory shows. -EAGAIN:
 * @dt has to be queried.
 */
int dump_answer_alike(struct dump *dump, struct dump_task *dt);
/* alike_threads.c: th->kernel of processes with many threads, where it can be read; alike.c calls it. */
void dump_read_kernel_threads(struct dump *dump);
/* th->parasite of a thread that gives the same answers as the first one; false: it has to be asked. */
bool dump_answer_alike_thread(const struct dump_task *dt, struct dump_thread *th);
int dump_read_robust_list(struct dump_thread *th);
/* @dt has been queried: others may be like it. */
void dump_note_donor(struct dump *dump, struct dump_task *dt);
/* Queries in the processes what only they can see. Nothing of ours remains in the tree afterwards. */
int dump_infect(struct dump *dump);
/* The mappings, and, for a task that owns its memory, the flags of each. */
int dump_read_mappings(struct dump *dump, struct dump_task *dt);
/* survey.c, for a pre-dump: the mounts of the tree, and nothing else. */
int dump_survey_mounts(struct dump *dump);
/* pre_dump.c: finds the pages that have to be saved, and arms all that are tracked; then saves them, while the tree runs. */
int dump_pre_dump_scan(struct dump *dump);
int dump_pre_dump_save(struct dump *dump);
/* Queries the kernel from outside; collects blockers. */
int dump_survey(struct dump *dump);
/* Descriptors and what they need: files.img, fdinfo-*.img; collects blockers. */
int dump_save_files(struct dump *dump);
/* Fills in dt->fds and dt->nr_fds, with descriptor numbers only. */
int dump_list_fds(struct dump_task *dt);
/* Saves everything else. */
int dump_save(struct dump *dump);
/* Saves what may be saved when the tree is already running (pages that have a snapshot), and the inventory. */
int dump_save_rest(struct dump *dump);
/*
 * copies.c: drops the snapshot of a task, if it has one, whichever process is the parent of that copy. A parent that does not
 * stop within some tens of ms is left to dump_end_copies().
 */
void dump_end_copy_soon(struct dump *dump, struct dump_task *dt);
/* All that are left, and the process that guards them; before the tree is resumed, or later. */
void dump_end_copies(struct dump *dump);
int dump_guard_copy(struct dump *dump, const struct dump_task *dt, pid_t *ret_guard);
/* Afterwards, without an error: @dt has got a copy, or none. */
void dump_note_copy(struct dump *dump, const struct dump_task *dt);
/* thaw.c: resumes a held thread. life.c: forgets all threads of a task. */
void dump_resume_thread(struct dump *dump, struct dump_thread *th);
void dump_forget_threads(struct dump_task *dt);
/* Resumes the tree as before (or leaves it stopped, if requested). Always possible. */
void dump_thaw(struct dump *dump);
/* Kills the tree: its images are complete. */
int dump_kill(struct dump *dump);
/* lazy.c */
int dump_serve_lazy_pages(struct dump *dump);
/* -EINTR if the user interrupted us (SIGINT, SIGTERM, SIGHUP). */
int dump_interrupted(struct dump *dump);
/* The same for loops over tasks: checks only if the last check is a while ago. */
int dump_interrupted_soon(struct dump *dump);
