/* SPDX-License-Identifier: GPL-2.0-only */
/* Freeze a process tree and save it: the phases, in their order. Each logs what goes wrong and returns -errno. */
#pragma once
#include <signal.h>
#include "run/blockers.h"
#include "run/options.h"

struct dump;
struct dump_task;
struct dump_thread;
struct parasite_policy_list;
struct pid_array;
struct proc_stat;

/* The whole job. 0, or a negative errno that has been logged; the tree is then as it was. */
int dump_run(const struct options *opts);

/*
 * criu check -t: what would stand in the way of a dump, told one by one. Nothing is stopped or changed. How many there
 * are, or a negative errno that has been logged.
 */
int dump_check(const struct options *opts, void (*tell)(void *arg, const struct blocker *blocker), void *arg);

/*
 * phases.c: every phase that dump->mode has, until one fails. Blockers are reported, but for a check; afterwards the tree
 * goes on, or is ended, and what a failed dump has made is taken away.
 */
int dump_run_phases(struct dump *dump);

/* life.c. NULL without memory. */
struct dump *dump_new(const struct options *opts);
void dump_free(struct dump *dump);

/* tree.c. A task that is gone is -ESRCH or -ENOENT, not logged but for the root. */
int dump_add_task(struct dump *dump, pid_t pid, struct dump_task *parent, struct dump_task **ret_task);
/* Those that are not known yet; how many. */
int dump_add_children(struct dump *dump, struct dump_task *dt);
void dump_drop_task(struct dump *dump, struct dump_task *dt);
/* Name, group, session, exit code. Not logged. */
int dump_read_stat(struct dump_task *dt);
/* What is in the namespaces of the tree: namespaces.c */
int dump_save_namespaces(struct dump *dump);
/* When all tasks and threads are known: the numbers that the tree itself sees. numbers.c */
int dump_number_tasks(struct dump *dump);
/*
 * The first thread of @dt has ended, @tid goes on: what /proc and others tell of the process is asked of that one, and so
 * is the pidfd (@dt has none yet) whose holder has the descriptors. The process keeps its number, dt->t.pid.
 */
int dump_ask_of(struct dump_task *dt, pid_t tid);
/* Who shares what, before anybody is asked. */
int dump_find_shared(struct dump *dump);
/* Which call a thread was interrupted in, and what is left of its time, where the kernel's memory can be read. */
void dump_find_timed_call(struct dump *dump, struct dump_thread *th, int thread_dir);
/* th->cpu is known: it goes on with what is left, or returns EINTR. */
void dump_settle_timed_call(struct dump_thread *th);

/* threads.c. What signals did before; the calls between begin and end need what is set up there. */
struct dump_stopping {
	struct sigaction child, tick;
	sigset_t mask;
};
void dump_stop_begin(struct dump *dump, struct dump_stopping *ret_was);
void dump_stop_end(const struct dump_stopping *was);
/*
 * Stop the threads of @dt that are there by now. Returns how much was new: call it until there is nothing. A process that
 * is gone is -ESRCH or -ENOENT, not logged; one that is a zombie has state TASK_DEAD then.
 */
int dump_stop_threads(struct dump *dump, struct dump_task *dt);
/* attached.c. Detach from those of @attached that have stopped by now, and drop those that have ended. Does not wait. */
void dump_let_go(struct pid_array *attached);
/* Is @tid one of them, and still ours? It is taken from the list. */
bool dump_take_attached(struct pid_array *attached, pid_t tid);
/* thread_list.c. The kernel's workers (io_uring, vhost) show up among the threads, and may be traced, but have no code. */
bool dump_is_worker(const struct proc_stat *stat);
/* Its first thread has ended: dt->threads begins with a record that stands in for it. */
int dump_stand_in(struct dump_task *dt);
struct dump_thread *dump_find_thread(const struct dump_task *dt, pid_t tid);

/* Stop every thread of the tree; afterwards nothing in it changes any more. */
int dump_seize(struct dump *dump);
/* check.c: instead of that, for a check: the tree as it is now, which goes on. */
int dump_check_tree(struct dump *dump);
int dump_check_fds(struct dump *dump);
/* read_threads.c: what is told from outside. -EAGAIN: one is in what a dumper that died has left; not logged. */
int dump_read_threads(struct dump *dump, struct dump_task *dt);
/* alike.c: dt->kernel of all, where the kernel's memory can be read and that pays. */
int dump_read_kernel_tasks(struct dump *dump);
/*
 * Instead of a visit: @dt would give the answers that another task has given, but for what the kernel's memory says of it.
 * -EAGAIN: nothing is known of @dt, it has to be asked.
 */
int dump_answer_alike(struct dump *dump, struct dump_task *dt);
/* alike_threads.c: th->kernel of processes with many threads, where it can be read; alike.c calls it. */
void dump_read_kernel_threads(struct dump *dump);
/* th->parasite of a thread that gives the same answers as the first one; false: it has to be asked. */
bool dump_answer_alike_thread(const struct dump_task *dt, struct dump_thread *th);
int dump_read_robust_list(struct dump_thread *th);
/* @dt has been asked: others may be like it. */
void dump_note_donor(struct dump *dump, struct dump_task *dt);
/* Ask from inside what only the inside knows. Nothing of ours is left in the tree afterwards. */
int dump_infect(struct dump *dump);
/*
 * policies.c: dt->policies, by the commands of the visit. Needs dt->maps. @at: the offset of what was laid in the arguments;
 * @q: its first answer.
 */
size_t dump_policies_size(const struct dump_task *dt);
void dump_lay_policies(const struct dump_task *dt, struct parasite_policy_list *q);
int dump_take_policies(struct dump_task *dt, uint32_t at, struct parasite_policy_list *q);
/* Ask the kernel from outside; collects blockers. */
/* survey.c: its map, and if the memory is its own the flags of each mapping */
int dump_read_mappings(struct dump_task *dt);
int dump_survey(struct dump *dump);
/* Descriptors and what they need: files.img, fdinfo-*.img; collects blockers. */
int dump_save_files(struct dump *dump);
/* dt->fds and dt->nr_fds, with the numbers only. */
int dump_list_fds(struct dump_task *dt);
/* Everything else. */
int dump_save(struct dump *dump);
/* What may be saved when the tree goes on already (pages that have a snapshot), and the inventory. */
int dump_save_rest(struct dump *dump);
/*
 * copies.c: drop the snapshot of a task, if it has one, whichever process is the parent of that copy. False: the parent does
 * not stop within some tens of ms; dump_end_copies() tries again.
 */
bool dump_end_copy_soon(struct dump *dump, struct dump_task *dt);
/* All that are left, and the process that guards them; before the tree is resumed, or later. */
void dump_end_copies(struct dump *dump);
int dump_guard_copy(struct dump *dump, const struct dump_task *dt, pid_t *ret_guard);
/* Afterwards, without an error: @dt has got a copy, or none. */
void dump_note_copy(struct dump *dump, const struct dump_task *dt);
/* thaw.c: one that is held. life.c: none of its threads is known any more. */
void dump_let_thread_go(struct dump *dump, struct dump_thread *th);
void dump_forget_threads(struct dump_task *dt);
/* Let the tree go on as before (or leave it stopped, if asked for). Always possible. */
void dump_thaw(struct dump *dump);
/* End the tree: its images are complete. */
int dump_kill(struct dump *dump);
/* -EINTR when the user asked to stop (SIGINT, SIGTERM, SIGHUP). */
int dump_interrupted(struct dump *dump);
/* The same for loops over tasks: it looks only if nobody has for a while. */
int dump_interrupted_soon(struct dump *dump);
