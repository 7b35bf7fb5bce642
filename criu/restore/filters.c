/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Seccomp filters come last: they would not permit the restorer's own calls. So they are installed from outside, while all threads
 * wait in the restorer.
 */
#include <errno.h>
#include <linux/seccomp.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include "restore/restore.h"
#include "restore/stopped.h"
#include "run/restore.h"
#include "util/log.h"

/* A profile of AppArmor may deny the capability that the filters needed. */
static int set_label(const struct wire_task *task, const struct wire_thread *th, struct compel_ctl *ctl)
{
	int err;

	if (!th->label_fd)
		return 0;
	err = stopped_call(ctl, SYS_write, th->label_fd, task->label, task->label_len);
	if (err)
		return fail(err, "pid %d: set its security label (is the profile loaded?)", task->pid);
	return stopped_call(ctl, SYS_close, th->label_fd, 0, 0);
}

static int install_filters(const struct restore_task *rt, const struct wire_task *task, const struct wire_thread *th,
			   struct compel_ctl *ctl)
{
	int err = 0;

	if (th->seccomp_mode == SECCOMP_MODE_STRICT)
		err = stopped_call(ctl, SYS_seccomp, SECCOMP_SET_MODE_STRICT, 0, 0);
	for (uint32_t i = 0; !err && th->seccomp_mode == SECCOMP_MODE_FILTER && i < th->nr_filters; i++) {
		uint64_t at = th->filters + i * sizeof(struct wire_seccomp_filter);
		struct wire_seccomp_filter filter = { 0 };

		err = stopped_peek(rt->t.host_pid, at, &filter, sizeof(filter));
		if (!err)
			err = stopped_call(ctl, SYS_seccomp, SECCOMP_SET_MODE_FILTER, filter.flags, at);
	}
	if (!err)
		err = set_label(task, th, ctl);
	if (!err && th->capset_header)
		err = stopped_call(ctl, SYS_capset, th->capset_header, th->capset_data, 0);
	return err;
}

/*
 * If we are killed from now on, the calls in which the thread waits and then continues may be denied by its filters: it
 * takes another path (pie/restorer/threads.c).
 */
static int send_filtered(struct restore *r, struct restore_task *rt, struct restore_thread *th, uint64_t wire_address,
			 struct wire_thread *wire)
{
	struct iovec local = { wire, sizeof(*wire) }, remote = { (void *)(uintptr_t)wire_address, sizeof(*wire) };

	wire->seccomp_mode = 0;
	wire->label_fd = 0;
	if (th == rt->threads && rt->files_owner && rt->files_shared && compel_may_call(th->id.host_tid, SYS_close)) {
		wire->close_from = r->service_base;
		wire->close_to = stopped_end_of_descriptors(rt);
	}
	if (process_vm_writev(rt->t.host_pid, &local, 1, &remote, 1, 0) != sizeof(*wire))
		return -EFAULT;
	return compel_send_to(th->id.host_tid, wire->filtered_entry, wire_address, &th->cpu.regs);
}

static int filter_thread(struct restore *r, struct restore_task *rt, struct restore_thread *th,
			 const struct wire_task *task)
{
	uint64_t wire_address = task->threads + (uint64_t)(th - rt->threads) * sizeof(struct wire_thread);
	struct compel_ctl *ctl = NULL;
	struct wire_thread wire = { 0 };
	int err = stopped_peek(rt->t.host_pid, wire_address, &wire, sizeof(wire));

	if (err || !wire.seccomp_mode)
		return err;
	err = compel_open(th->id.host_tid, &ctl);
	if (!err)
		err = install_filters(rt, task, &wire, ctl);
	if (ctl) {
		int cured = compel_cure(ctl);

		err = err ? err : cured;
	}
	return err ? err : send_filtered(r, rt, th, wire_address, &wire);
}

static bool has_filters(const struct restore_task *rt)
{
	for (size_t i = rt->leader_ends; task_lives(rt) && i < rt->nr_threads; i++)
		if (rt->threads[i].core->thread_core->seccomp_mode != SECCOMP_MODE_DISABLED)
			return true;
	return false;
}

int restore_install_filters(struct restore *r)
{
	struct restore_task *rt;

	restore_for_each_task(rt, r) {
		struct wire_task wire = { 0 };
		bool has = has_filters(rt);
		int err =
			has ? stopped_peek(rt->t.host_pid, r->shared->tasks[rt->t.index].wire, &wire, sizeof(wire)) : 0;

		for (size_t i = rt->leader_ends; !err && has && i < rt->nr_threads; i++)
			err = filter_thread(r, rt, &rt->threads[i], &wire);
		if (err)
			return fail(err, "pid %d: install its seccomp filters", rt->t.pid);
	}
	return 0;
}
