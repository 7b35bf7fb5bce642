// SPDX-License-Identifier: GPL-2.0-only
/*
 * kernel.ns_last_pid, kernel.pid_max (Linux 6.14) and vm.memfd_noexec (6.3): /proc/sys shows, to any process, those of its own
 * pid namespace. A new namespace has the memfd_noexec of its parent, which differs between hosts: it is always saved, and so is
 * a pid_max that is not one for all namespaces. They are set when everything exists: they restrict which pids and
 * memfds can be created.
 */
#include "kinds/ns/pid_settings.h"
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/bits.h"
#include "kernel/ns_run.h"
#include "kernel/proc_pid.h"
#include "pstree.pb-c.h"
#include "run/dump.h"
#include "run/restore.h"
#include "util/fds.h"
#include "util/log.h"
#include "util/proc_root.h"

/* Of the kernel. */
#define PID_MAX_LEAST 301
#define PID_MAX_LIMIT (4 << 20)

enum setting { PID_MAX, MEMFD_NOEXEC, LAST_PID, SETTINGS };

static const char *const paths[SETTINGS] = {
	[PID_MAX] = "sys/kernel/pid_max",
	[MEMFD_NOEXEC] = "sys/vm/memfd_noexec",
	[LAST_PID] = "sys/kernel/ns_last_pid",
};

/* -1: this kernel has none. */
struct settings {
	long v[SETTINGS];
	ino_t pid_max; /* inode number of the file, the same one in all namespaces that share a value */
};

static ino_t inode_of(enum setting which)
{
	struct stat st = { 0 };

	return fstatat(proc_root(), paths[which], &st, 0) < 0 ? 0 : st.st_ino;
}

static int read_own(void *arg)
{
	struct settings *s = arg;

	for (size_t i = 0; i < SETTINGS; i++) {
		_cleanup_buf_ struct buf text = { 0 };
		int err = read_file(proc_root(), paths[i], &text);

		if (err < 0 && err != -ENOENT)
			return err;
		s->v[i] = err < 0 ? -1 : strtol(text.data, NULL, 10);
	}
	s->pid_max = inode_of(PID_MAX);
	return 0;
}

static int write_own(enum setting which, long value)
{
	_cleanup_close_ int fd = open_at(proc_root(), paths[which], O_WRONLY, 0);
	char text[24];
	int len = snprintf(text, sizeof(text), "%ld", value);

	return fd < 0 ? fd : write(fd, text, len) < 0 ? -errno : 0;
}

/* The last pid is ours here, and the tree is to get it. */
static int read_and_leave_no_trace(void *arg)
{
	struct settings *s = arg;
	int err = read_own(arg);

	if (err || s->v[LAST_PID] < 1)
		return err;
	s->v[LAST_PID]--;
	write_own(LAST_PID, s->v[LAST_PID]);
	return 0;
}

/* A process is in the namespace that its parent entered. */
static int read_in_child(void *arg)
{
	int result = 0, err = ns_run_in(NULL, 0, read_and_leave_no_trace, arg, &result);

	return err ? err : result;
}

int pid_settings_save(struct dump *dump, struct dump_task *init)
{
	PidNsEntry *entry;
	struct settings own;
	_cleanup_close_ int fd = -1;
	int result = 0, err;

	if (!rights_may(&dump->rights, RIGHT_NAMESPACES)) {
		dump_blocker(dump, init, -1,
			     "entering its pid namespace, to read the settings of that, %s: run criu as root",
			     rights_text(RIGHT_NAMESPACES));
		return 0;
	}
	/* No process of ours enters a namespace whose processes are running: they might control it. */
	if (dump_is_check(dump))
		return 0;
	entry = dump_alloc(dump, sizeof(*entry));
	if (!entry)
		return fail(-ENOMEM, "pid namespace");
	fd = proc_ns_open(&init->proc, PROC_NS_PID);
	err = fd < 0 ? fd : ns_run_in(&fd, 1, read_in_child, &own, &result);
	err = err ? err : result;
	if (err)
		return fail(err, "read the settings of the pid namespace of process %d", init->t.host_pid);
	pid_ns_entry__init(entry);
	entry->has_last_pid = own.v[LAST_PID] >= 0;
	entry->last_pid = (uint32_t)own.v[LAST_PID];
	entry->has_pid_max = own.v[PID_MAX] >= 0 && own.pid_max != inode_of(PID_MAX);
	entry->pid_max = (uint32_t)own.v[PID_MAX];
	entry->has_memfd_noexec = own.v[MEMFD_NOEXEC] >= 0;
	entry->memfd_noexec = (uint32_t)own.v[MEMFD_NOEXEC];
	init->init_of = entry;
	return 0;
}

int pid_settings_check(const struct restore_task *init)
{
	const PidNsEntry *e = init->init_of;

	if (!e)
		return 0;
	if (e->has_last_pid && e->last_pid > PID_MAX_LIMIT)
		return fail(-EBADMSG, "pstree.img: the last pid was %u", e->last_pid);
	if (e->has_pid_max && (e->pid_max < PID_MAX_LEAST || e->pid_max > PID_MAX_LIMIT))
		return fail(-EBADMSG, "pstree.img: pid_max is %u", e->pid_max);
	if (e->has_memfd_noexec && e->memfd_noexec > 2)
		return fail(-EBADMSG, "pstree.img: memfd_noexec is %u", e->memfd_noexec);
	return 0;
}

int pid_settings_begin(struct restore *r, const struct restore_task *rt)
{
	const bool new = rt->starts_pid_ns || (&rt->t == r->plan.tree.root && rt->ns[NS_PID] && !rt->ns[NS_PID]->own);
	const PidNsEntry *e = new ? rt->init_of : NULL;
	int err = e && e->has_last_pid ? write_own(LAST_PID, e->last_pid) : 0;

	/* Pids are assigned, from now on, from a different point: programs cannot rely on it. */
	if (err)
		log_warn("set /proc/%s to %u: errno %d", paths[LAST_PID], e->last_pid, -err);
	return 0;
}

struct finish {
	const PidNsEntry *entry;
	ino_t tools_pid_max; /* inode number of the file as the tool sees it */
};

static int set_pid_max(const struct finish *f, const struct settings *now)
{
	const PidNsEntry *e = f->entry;
	int err;

	if (!e->has_pid_max || now->v[PID_MAX] == (long)e->pid_max)
		return 0;
	/* One for all namespaces; a new one has PID_MAX_LIMIT where each has its own. */
	if (now->pid_max == f->tools_pid_max)
		return e->pid_max == PID_MAX_LIMIT ?
			       0 :
			       fail(-EOPNOTSUPP,
				    "the pid namespace had a kernel.pid_max of its own (%u): that needs Linux 6.14 or later",
				    e->pid_max);
	err = write_own(PID_MAX, e->pid_max);
	return err ? fail(err, "set /proc/%s of the pid namespace to %u", paths[PID_MAX], e->pid_max) : 0;
}

static int set_memfd_noexec(const PidNsEntry *e, const struct settings *now)
{
	long value = now->v[MEMFD_NOEXEC];
	int err;

	if (!e->has_memfd_noexec || value == (long)e->memfd_noexec || (value < 0 && !e->memfd_noexec))
		return 0;
	err = write_own(MEMFD_NOEXEC, e->memfd_noexec);
	if (err == -EINVAL && value > (long)e->memfd_noexec)
		return fail(
			err,
			"the pid namespace had a vm.memfd_noexec of %u, and here it is at least %ld, the value of the tool's namespace: lower that first",
			e->memfd_noexec, value);
	return err ? fail(err, "set /proc/%s of the pid namespace to %u", paths[MEMFD_NOEXEC], e->memfd_noexec) : 0;
}

static int set_own(void *arg)
{
	const struct finish *f = arg;
	struct settings now;
	int err = read_own(&now);

	if (err)
		return fail(err, "read the settings of the pid namespace");
	err = set_pid_max(f, &now);
	if (!err)
		err = set_memfd_noexec(f->entry, &now);
	/* The process that does it has a pid itself. */
	if (!err && f->entry->has_last_pid)
		write_own(LAST_PID, f->entry->last_pid);
	return err;
}

static int set_in_child(void *arg)
{
	int result = 0, err = ns_run_in(NULL, 0, set_own, arg, &result);

	return err ? fail(err, "create a process in the pid namespace of the tree") : result;
}

static int finish(const struct restore *r, const struct restore_task *init, int ns)
{
	struct finish f = { .entry = init->init_of };
	int result = 0, err;

	if (ns < 0 || !f.entry || (!f.entry->has_pid_max && !f.entry->has_memfd_noexec && !r->tool.moved_last_pid))
		return 0;
	f.tools_pid_max = inode_of(PID_MAX);
	err = ns_run_in(&ns, 1, set_in_child, &f, &result);
	return err ? fail(err, "enter the pid namespace of process %d", init->t.pid) : result;
}

static int finish_nested(const struct restore *r, const struct restore_task *init)
{
	_cleanup_proc_ struct proc proc = PROC_CLOSED;
	int err = proc_open(init->t.host_pid, &proc);
	_cleanup_close_ int ns = err ? err : proc_ns_open(&proc, PROC_NS_PID);

	return ns < 0 ? fail(ns, "open /proc/%d/ns/pid", init->t.host_pid) : finish(r, init, ns);
}

int pid_settings_finish(struct restore *r)
{
	struct restore_task *rt;
	int err = finish(r, restore_task_of(r->plan.tree.root), r->tool.pid_ns);

	restore_for_each_task(rt, r)
		if (!err && rt->starts_pid_ns && rt->t.state != TASK_DEAD && rt->init_of)
			err = finish_nested(r, rt);
	return err;
}
