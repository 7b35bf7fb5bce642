// SPDX-License-Identifier: GPL-2.0-only
/* The children of a process: from /proc/PID/task/TID/children, or from the parents of all processes. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "kernel/proc_pid.h"
#include "kernel/scan.h"
#include "util/fds.h"

static int cmp_pid(const void *a, const void *b)
{
	pid_t x = *(const pid_t *)a, y = *(const pid_t *)b;

	return (x > y) - (x < y);
}

/* No CONFIG_PROC_CHILDREN: read the parent of every process in this procfs. */
static int children_by_ppid(const struct proc *p, struct pid_array *to)
{
	struct pid_array all = { 0 };
	int err = proc_pids(p, &all);

	for (size_t i = 0; !err && i < all.n; i++) {
		char path[32];
		struct proc_stat st;
		_cleanup_buf_ struct buf text = { 0 };
		snprintf(path, sizeof(path), "../%d/stat", all.v[i]);
		/* It may have exited since. */
		if (read_file(p->dir, path, &text) || proc_stat_parse(text.data, text.len, &st))
			continue;
		if (st.ppid == p->pid)
			err = array_add(to, all.v[i]);
	}
	array_free(&all);
	return err;
}

static int add_children(const char *text, size_t len, struct pid_array *to)
{
	struct scan s = scan_text(text, len);
	int pid;

	while (scan_blank(&s) && scan_int(&s, &pid))
		if (array_add(to, pid))
			return -ENOMEM;
	return scan_at_end(&s) || scan_char(&s, '\n') ? 0 : -EBADMSG;
}

int proc_children(const struct proc *p, struct pid_array *to)
{
	struct pid_array tids = { 0 };
	int err = proc_threads(p, &tids);

	if (!err)
		err = proc_children_of(p, &tids, to);
	array_free(&tids);
	return err;
}

int proc_children_of(const struct proc *p, const struct pid_array *tids, struct pid_array *to)
{
	size_t from = to->n;
	bool reported = false;
	int err = 0;

	for (size_t i = 0; !err && i < tids->n; i++) {
		char path[48];
		_cleanup_buf_ struct buf text = { 0 };
		snprintf(path, sizeof(path), "task/%d/children", tids->v[i]);
		err = read_file(p->dir, path, &text);
		/*
		 * A thread that exited meanwhile left its children to another one, which has been read or will be: see
		 * seize.
		 */
		if (err == -ENOENT || err == -ESRCH) {
			err = 0;
			continue;
		}
		reported = true;
		if (!err && text.len)
			err = add_children(text.data, text.len, to);
	}
	if (!err && !reported)
		err = tids->n ? children_by_ppid(p, to) : -ESRCH;
	if (!err && to->n > from + 1)
		qsort(to->v + from, to->n - from, sizeof(*to->v), cmp_pid);
	return err;
}
