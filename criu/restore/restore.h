/* SPDX-License-Identifier: GPL-2.0-only */
/* Bring a process tree back: the phases, in their order. Each logs what goes wrong and returns -errno. */
#pragma once
#include <stdbool.h>
#include <sys/types.h>
#include "run/options.h"

struct restore;
struct restore_task;

/*
 * The whole job. With restore_detached it returns as soon as the tree runs; otherwise it waits for the root and gives
 * its wait status. After a failure nothing of the tree is left.
 */
int restore_run(const struct options *opts, int *ret_wait_status);

/* What restore_run is made of, for those that look at one phase alone (test/fuzz). */
struct restore *restore_new(const struct options *opts);
void restore_free(struct restore *r);
int restore_open_images(struct restore *r);
/* Read and check every record. No side effect. */
int restore_load(struct restore *r);
/* Who makes what, in which order. No side effect; afterwards the plan is read-only. */
int restore_link(struct restore *r);
/* Namespaces of the tree that are not the tool's own: namespaces.c. Loaded before restore_link; created in the tool,
 * before any task; entered by a new task; closed when no task needs them any more. */
int restore_load_namespaces(struct restore *r);
int restore_make_namespaces(struct restore *r);
int restore_enter_namespaces(struct restore *r, const struct restore_task *rt);
void restore_close_namespaces(struct restore *r);
/* In the tool, for the namespaces of the tree: the hooks in_namespaces, committed and failed of all run kinds. inside.c */
int restore_make_inside(struct restore *r);
void restore_report_committed(struct restore *r);
void restore_report_failed(struct restore *r);
/* In the tool: what makes many forks cheaper. page_tables.c */
void restore_prepare_forks(struct restore *r);
/* In the tool: make the root; every task then makes its own children and goes on by itself. */
int restore_fork_tree(struct restore *r);
/* Does the tree live in another pid namespace than the tool? */
bool restore_has_pid_ns(const struct restore *r);
/* In the tool, when the root exists. */
int restore_find_pid_ns(struct restore *r);
/* In the tool, when every task and thread exists: fills in host_pid and host_tid, which are 0 before, and in tasks. */
int restore_find_numbers(struct restore *r);
/* In a task: every descriptor in its place. */
int restore_open_files(struct restore *r, struct restore_task *rt);
/* In a task: those of its threads exist that must when files are opened, and wait. */
int restore_early_threads(struct restore *r, struct restore_task *rt);
/* In the tool, before the first fork: the code of the restorer, for all tasks. */
int restore_lay_blob(struct restore *r);
/* In a task: its memory becomes the saved one; does not return but for errors. */
int restore_hand_over(struct restore *r, struct restore_task *rt);
/* In the tool: should it die before the tree runs, the pid file, in @dir, goes with it. Until pidfile_unwatch(). */
int pidfile_watch(struct restore *r, int dir);
void pidfile_unwatch(struct restore *r);
/* In the tool: every task is ready; from here on the tree lives. */
int restore_commit(struct restore *r);
/* In the tool: until the root ends; passes signals on to it, and does what a job of a shell does. */
int restore_wait(struct restore *r, int *ret_wait_status);
/* In the tool: its limits, as high as service_base needs; all that tasks need of its descriptors goes above that. */
int restore_make_room_for_fds(struct restore *r);
int restore_move_service_fds(struct restore *r);
/* In the tool: a step is notified (run/notify.h), with the limits and rights of whoever started us. */
int restore_script(struct restore *r, const char *action, pid_t pid);
/* In the tool, after a failure. */
void restore_kill_all(struct restore *r);
