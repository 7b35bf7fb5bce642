// SPDX-License-Identifier: GPL-2.0-only
/* Are the numbers of the tree free? A number is also taken as long as a process group or session has it. */
#include "restore/check_numbers.h"
#include <dirent.h>
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

#define ZOMBIE_WAIT_US 1000000
#define ZOMBIE_STEP_US 2000
#define ADVICE "end it, or restore in a pid namespace of its own: criu-ns restore"

static bool exists(pid_t number)
{
	char name[16];

	snprintf(name, sizeof(name), "%d", number);
	return !faccessat(proc_root(), name, F_OK, 0);
}

/* A zombie that is about to be reaped: a restore waits for it as long. */
static bool stays(pid_t number)
{
	for (unsigned waited = 0; waited < ZOMBIE_WAIT_US; waited += ZOMBIE_STEP_US) {
		_cleanup_proc_ struct proc proc = PROC_CLOSED;
		struct proc_stat stat;

		if (proc_open(number, &proc) || proc_stat_read(&proc, &stat))
			return exists(number);
		if (stat.state != 'Z' && stat.state != 'X')
			return true;
		usleep(ZOMBIE_STEP_US); /* style: there is no event when another process reaps a zombie */
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

static void check_number(pid_t number, const char *what)
{
	char comm[16];
	pid_t process;

	if (!exists(number) || !stays(number))
		return;
	process = process_of(number);
	if (process == number)
		log_error("%s %d is in use by a running process (%s): " ADVICE, what, number,
			  proc_comm_of(number, comm));
	else
		log_error("%s %d is in use by a thread of process %d (%s): " ADVICE, what, number, process,
			  proc_comm_of(process, comm));
}

static void check_task(struct restore *r, const struct restore_task *rt, uint64_t pid_max)
{
	restore_is_about(r, "pid", rt, NULL);
	check_number(rt->t.pid, "pid");
	for (size_t i = 1; i < rt->nr_threads; i++)
		check_number((pid_t)rt->threads[i].id.tid, "thread id");
	for (size_t i = 0; i < rt->nr_threads; i++)
		if (pid_max && (uint64_t)rt->threads[i].id.tid >= pid_max)
			log_error("thread id %d is larger than this host allows: sysctl kernel.pid_max=%d",
				  rt->threads[i].id.tid, rt->threads[i].id.tid + 1);
}

/* Is it in use only as the number of a group or session, whose leader has exited? */
static void check_group(struct restore *r, const struct proc_stat *stat, pid_t number, const char *what)
{
	uint64_t process;

	if (number <= 0 || number == stat->pid || !hash_get(&r->plan.tids, (uint64_t)number, &process) ||
	    exists(number))
		return;
	restore_is_about(r, "pid", restore_find_task(r, number), NULL);
	log_error("pid %d is in use as the %s of process %d (%s): " ADVICE, number, what, stat->pid, stat->comm);
}

static int check_process(struct restore *r, pid_t pid)
{
	_cleanup_proc_ struct proc proc = PROC_CLOSED;
	struct proc_stat stat;

	/* It has exited meanwhile. */
	if (proc_open(pid, &proc) || proc_stat_read(&proc, &stat))
		return 0;
	check_group(r, &stat, stat.pgid, "process group");
	if (stat.sid != stat.pgid)
		check_group(r, &stat, stat.sid, "session");
	return 0;
}

static int check_groups(struct restore *r)
{
	int fd = open_at(proc_root(), ".", O_RDONLY | O_DIRECTORY, 0), err = 0;
	_cleanup_closedir_ DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;
	uint32_t pid;

	if (!dir) {
		cleanup_close(&fd);
		return fail(fd < 0 ? fd : -errno, "list the processes of this host");
	}
	while (!err && (entry = readdir(dir)))
		if (!parse_u32(entry->d_name, &pid))
			err = check_process(r, (pid_t)pid);
	return err;
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

	/* In a new one all are free. */
	if (restore_has_pid_ns(r))
		return 0;
	restore_for_each_task(rt, r)
		check_task(r, rt, pid_max);
	return check_groups(r);
}
