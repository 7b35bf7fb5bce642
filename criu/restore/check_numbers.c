// SPDX-License-Identifier: GPL-2.0-only
/* Are the numbers of the tree free? A number is also taken as long as a process group or session has it. */
#include "restore/check_numbers.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "kernel/proc_pid.h"
#include "restore/restore.h"
#include "run/obstacles.h"
#include "run/restore.h"
#include "util/fds.h"
#include "util/log.h"
#include "util/proc_root.h"
#include "util/str.h"

static bool exists(pid_t number)
{
	char name[16];

	snprintf(name, sizeof(name), "%d", number);
	return !faccessat(proc_root(), name, F_OK, 0);
}

/* A zombie that is about to be reaped: a restore waits as long for the first one. *@waited is for all of them. */
static bool stays(pid_t number, unsigned *waited)
{
	for (; *waited < TAKEN_WAIT_US; *waited += TAKEN_STEP_US) {
		_cleanup_proc_ struct proc proc = PROC_CLOSED;
		struct proc_stat stat;

		if (proc_open(number, &proc) || proc_stat_read(&proc, &stat))
			return exists(number);
		if (stat.state != 'Z' && stat.state != 'X')
			return true;
		usleep(TAKEN_STEP_US); /* style: there is no event when another process reaps a zombie */
	}
	return exists(number);
}

/* Also of a thread, whose directory is not listed, but exists. */
static pid_t process_of(pid_t number)
{
	_cleanup_proc_status_ struct proc_status status = { 0 };
	_cleanup_proc_ struct proc proc = PROC_CLOSED;

	return proc_open(number, &proc) || proc_status_read(&proc, &status) ? number : status.tgid;
}

static void check_number(pid_t number, const char *what, unsigned *waited)
{
	char comm[16];
	pid_t process;

	/* What we have is free when we have ended. */
	if (number == getpid() || !exists(number) || !stays(number, waited))
		return;
	process = process_of(number);
	if (process == number)
		log_error("%s %d is in use by a running process (%s): " TAKEN_ADVICE, what, number,
			  proc_comm_of(number, comm));
	else
		log_error("%s %d is in use by a thread of process %d (%s): " TAKEN_ADVICE, what, number, process,
			  proc_comm_of(process, comm));
}

static void check_size(pid_t number, const char *what, uint64_t pid_max)
{
	if (pid_max && (uint64_t)number >= pid_max)
		log_error("%s %d is larger than this host allows: sysctl kernel.pid_max=%d", what, number, number + 1);
}

static void check_task(struct restore *r, const struct restore_task *rt, uint64_t pid_max, unsigned *waited)
{
	restore_is_about(r, "pid", rt, NULL);
	check_number(rt->t.pid, "pid", waited);
	for (size_t i = 1; i < rt->nr_threads; i++)
		check_number((pid_t)rt->threads[i].id.tid, "thread id", waited);
	for (size_t i = 0; i < rt->nr_threads; i++)
		check_size((pid_t)rt->threads[i].id.tid, "thread id", pid_max);
}

/* The numbers of leaders that have exited: a restore creates a process with each, so that groups and sessions get theirs. */
static void check_helpers(struct restore *r, uint64_t pid_max, unsigned *waited)
{
	const struct task *t;

	restore_is_about(r, "pid", NULL, NULL);
	list_for_each(t, &r->plan.helpers, in_tree) {
		check_number(t->pid, "process group or session id", waited);
		check_size(t->pid, "process group or session id", pid_max);
	}
}

/* Is it in use only as the number of a group or session, whose leader has exited? */
static void check_group(struct restore *r, const struct proc_stat *stat, pid_t number, const char *what)
{
	uint64_t process;

	if (number <= 0 || number == stat->pid || !hash_get(&r->plan.tids, (uint64_t)number, &process) ||
	    exists(number))
		return;
	restore_is_about(r, "pid", restore_find_task(r, number), NULL);
	log_error("pid %d is in use as the %s of process %d (%s): " TAKEN_ADVICE, number, what, stat->pid, stat->comm);
}

static void check_process(struct restore *r, pid_t pid)
{
	_cleanup_proc_ struct proc proc = PROC_CLOSED;
	struct proc_stat stat;

	/* It has exited meanwhile. */
	if (proc_open(pid, &proc) || proc_stat_read(&proc, &stat))
		return;
	check_group(r, &stat, stat.pgid, "process group");
	if (stat.sid != stat.pgid)
		check_group(r, &stat, stat.sid, "session");
}

static int check_groups(struct restore *r)
{
	_cleanup_proc_ struct proc self = PROC_CLOSED;
	struct pid_array pids = { 0 };
	int err = proc_open_self(&self);

	if (!err)
		err = proc_pids(&self, &pids);
	for (size_t i = 0; !err && i < pids.n; i++)
		check_process(r, pids.v[i]);
	array_free(&pids);
	return err ? fail(err, "list the processes of this host") : 0;
}

static uint64_t read_pid_max(void)
{
	_cleanup_buf_ struct buf text = { 0 };

	return read_file(proc_root(), "sys/kernel/pid_max", &text) || !text.len ? 0 : strtoull(text.data, NULL, 10);
}

int check_numbers(struct restore *r)
{
	const struct restore_task *rt;
	uint64_t pid_max = read_pid_max();
	unsigned waited = 0;

	/* In a new one all are free. */
	if (restore_has_pid_ns(r))
		return 0;
	restore_for_each_task(rt, r)
		check_task(r, rt, pid_max, &waited);
	check_helpers(r, pid_max, &waited);
	return check_groups(r);
}
