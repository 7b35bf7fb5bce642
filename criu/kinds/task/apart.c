// SPDX-License-Identifier: GPL-2.0-only
/*
 * State that threads of a process normally share, but that one of them may have unshared: unshare(2), setns(2). A
 * restore makes them share it again, so a thread with its own is refused.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include "base/bits.h"
#include "kernel/kcmp.h"
#include "kinds/kinds.h"
#include "kmem/threads.h"
#include "run/dump.h"
#include "util/log.h"

static const struct {
	enum kcmp_what what;
	const char *name;
} shared[] = {
	{ KCMP_WHAT_FS, "working directory, root and umask (CLONE_FS)" },
	{ KCMP_WHAT_FILES, "descriptors (CLONE_FILES)" },
};

/* Namespaces that a thread can change without unsharing the directory or memory of its process. */
static const enum proc_ns namespaces[] = { PROC_NS_NET,	   PROC_NS_UTS,		 PROC_NS_IPC,
					   PROC_NS_CGROUP, PROC_NS_PID_CHILDREN, PROC_NS_TIME_CHILDREN };

static int read_namespaces(const struct proc *proc, uint32_t ret[ARRAY_SIZE(namespaces)])
{
	for (size_t i = 0; i < ARRAY_SIZE(namespaces); i++) {
		int err = proc_ns_ino(proc, namespaces[i], &ret[i]);

		if (err == -ENOENT)
			ret[i] = 0;
		else if (err)
			return err;
	}
	return 0;
}

static int check_namespaces(struct dump *dump, struct dump_task *task, const struct dump_thread *th,
			    const uint32_t of_process[ARRAY_SIZE(namespaces)])
{
	_cleanup_proc_ struct proc proc = PROC_CLOSED;
	uint32_t own[ARRAY_SIZE(namespaces)];
	int err = proc_open_thread(&task->proc, th->id.host_tid, &proc);

	if (!err)
		err = read_namespaces(&proc, own);
	for (size_t i = 0; !err && i < ARRAY_SIZE(namespaces); i++)
		if (own[i] != of_process[i])
			dump_blocker(dump, task, -1,
				     "thread %d: is in another %s namespace than its process, which is not supported",
				     th->id.host_tid, proc_ns_name(namespaces[i]));
	return err;
}

static void check_shared(struct dump *dump, struct dump_task *task, pid_t first, pid_t tid)
{
	for (size_t i = 0; i < ARRAY_SIZE(shared); i++)
		if (sys_kcmp(first, tid, shared[i].what, 0, 0) > 0)
			dump_blocker(dump, task, -1,
				     "thread %d: has its own %s, not shared with its process, which is not supported",
				     tid, shared[i].name);
}

/* An exited thread has none of these any more. */
static const struct dump_thread *find_first(const struct dump_task *task)
{
	for (size_t i = 0; i < task->nr_threads; i++)
		if (!strchr("ZX", task->threads[i].stat.state))
			return &task->threads[i];
	return NULL;
}

/* By their addresses in the kernel, if those have been read. */
static bool shares_all(const struct dump_thread *first, const struct dump_thread *th)
{
	const struct kernel_thread *a = first->kernel, *b = th->kernel;

	return a && b && a->fs && a->fs == b->fs && a->files && a->files == b->files && a->nsproxy &&
	       a->nsproxy == b->nsproxy;
}

static int check_threads(struct dump *dump, struct dump_task *task)
{
	const struct dump_thread *first = find_first(task);
	_cleanup_proc_ struct proc proc = PROC_CLOSED;
	uint32_t of_process[ARRAY_SIZE(namespaces)];
	int err = first ? proc_open_thread(&task->proc, first->id.host_tid, &proc) : 0;

	if (first && !err)
		err = read_namespaces(&proc, of_process);
	for (size_t i = 0; first && !err && i < task->nr_threads; i++) {
		const struct dump_thread *th = &task->threads[i];

		if (th <= first || strchr("ZX", th->stat.state) || shares_all(first, th))
			continue;
		check_shared(dump, task, first->id.host_tid, th->id.host_tid);
		err = check_namespaces(dump, task, th, of_process);
	}
	/* In a running tree it may exit in the meantime. */
	if (dump_is_check(dump) && (err == -ESRCH || err == -ENOENT))
		err = 0;
	return err ? fail(err, "namespaces of threads") : 0;
}

static int apart_survey(struct dump *dump, struct dump_task *task)
{
	return task->nr_threads > 1 ? check_threads(dump, task) : 0;
}

const struct task_kind apart_kind = {
	.name = "apart",
	.survey = apart_survey,
};
