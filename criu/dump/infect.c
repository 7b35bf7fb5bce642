/* SPDX-License-Identifier: GPL-2.0-only */
/* Ask from inside what only the inside knows: one short visit per process, cured before anything else is done. */
#include <errno.h>
#include <linux/rseq.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "dump/dump.h"
#include "kinds/kinds.h"
#include "parasite_blob.h"
#include "run/dump.h"
#include "util/log.h"

/* Only signals with a handler or ignored have anything to tell. */
static uint64_t interesting_signals(const struct dump_task *dt)
{
	return dt->status.sig_caught | dt->status.sig_ignored;
}

static int fill_question(struct dump_task *dt)
{
	struct proc_timers timers = { 0 };
	int err = proc_timers_read(&dt->proc, &timers);

	/* A kernel without POSIX timers has no such file. */
	if (err < 0 && err != -ENOENT)
		return fail(err, "read /proc/%d/timers", dt->t.host_pid);
	if (timers.n > INSIDE_MAX_TIMERS) {
		array_free(&timers);
		return fail(-E2BIG, "%zu POSIX timers: %d at most", timers.n, INSIDE_MAX_TIMERS);
	}
	dt->inside_len = sizeof(*dt->inside) + timers.n * sizeof(struct inside_posix_timer);
	dt->inside = calloc(1, dt->inside_len);
	if (!dt->inside) {
		array_free(&timers);
		return fail(-ENOMEM, "parasite");
	}
	dt->inside->want_sigactions = interesting_signals(dt);
	dt->inside->nr_timers = timers.n;
	err = timers_ask(dt, &timers);
	array_free(&timers);
	return err;
}

static int ask_task(struct dump_task *dt)
{
	long value;
	int err = compel_args_write(dt->ctl, 0, dt->inside, dt->inside_len);

	if (!err)
		err = compel_command(dt->ctl, PARASITE_TASK, &value);
	if (!err)
		err = value < 0 ? (int)value : compel_args_read(dt->ctl, 0, dt->inside, dt->inside_len);
	return err < 0 ? fail(err, "ask the process from inside: %s", compel_why(dt->ctl)) : 0;
}

static int ask_thread(struct dump_task *dt, struct dump_thread *th)
{
	static const struct inside_thread clean;
	long value;
	int err = compel_args_write(dt->ctl, 0, &clean, sizeof(clean));

	if (!err)
		err = th == dt->threads ? compel_command(dt->ctl, PARASITE_THREAD, &value) :
					  compel_thread_command(dt->ctl, th->id.host_tid, PARASITE_THREAD, &value);
	if (!err)
		err = value < 0 ? (int)value : compel_args_read(dt->ctl, 0, &th->inside, sizeof(th->inside));
	return err < 0 ? fail(err, "ask thread %d from inside: %s", th->id.host_tid, compel_why(dt->ctl)) : 0;
}

/* Close-on-exec flags: no interface shows them from outside but fdinfo, at ten times the price. */
static int ask_fds(struct dump_task *dt)
{
	_cleanup_free_ struct inside_fds *fds = NULL;
	size_t len;
	long value;
	int err = dump_list_fds(dt);

	if (err)
		return err;
	len = sizeof(*fds) + dt->nr_fds * sizeof(fds->fds[0]);
	fds = calloc(1, len);
	if (!fds)
		return fail(-ENOMEM, "descriptors");
	fds->nr = dt->nr_fds;
	for (size_t i = 0; i < dt->nr_fds; i++)
		fds->fds[i] = dt->fds[i].fd;
	err = compel_args_write(dt->ctl, 0, fds, len);
	if (!err)
		err = compel_command(dt->ctl, PARASITE_FDS, &value);
	if (!err)
		err = value < 0 ? (int)value : compel_args_read(dt->ctl, 0, fds, len);
	if (err < 0)
		return fail(err, "ask for descriptor flags: %s", compel_why(dt->ctl));
	for (size_t i = 0; i < dt->nr_fds; i++)
		dt->fds[i].cloexec = fds->fds[i] & 1;
	return 0;
}

static size_t args_size(const struct dump_task *dt, size_t nr_fds)
{
	size_t size = MAX_OF(dt->inside_len, MAX_OF(sizeof(struct inside_thread), sizeof(siginfo_t)));

	return MAX_OF(size, sizeof(struct inside_fds) + nr_fds * sizeof(int32_t));
}

static int count_fds(struct dump_task *dt, size_t *ret_nr)
{
	struct int_array numbers = { 0 };
	int err = proc_fds(&dt->proc, &numbers);

	*ret_nr = numbers.n;
	array_free(&numbers);
	return err < 0 ? fail(err, "list /proc/%d/fd", dt->t.host_pid) : 0;
}

/* A tool that was killed while it ran code in this process: let its cure finish first. */
static int open_cave(struct dump_task *dt)
{
	struct dump_thread *leader = &dt->threads[0];
	int err = -EAGAIN;

	for (int tries = 0; tries < 1000 && err == -EAGAIN; tries++) {
		err = compel_open(leader->id.host_tid, &dt->ctl);
		if (err != -EAGAIN)
			break;
		for (size_t i = 0; i < dt->nr_threads && err == -EAGAIN; i++) {
			pid_t tid = dt->threads[i].id.host_tid;
			int moved = compel_detach(tid, &dt->threads[i].stop);

			if (!moved)
				usleep(100); /* style: the thread itself cleans up; nothing tells when it has */
			if (!moved)
				moved = compel_seize(tid, true);
			if (!moved)
				moved = compel_wait_stop(tid, &dt->threads[i].stop);
			if (moved < 0)
				err = moved;
		}
	}
	return err < 0 ? fail(err, "no safe place to run code in the process: %s", compel_why(dt->ctl)) : 0;
}

/* Has the task been told that a child of its has stopped? Only it can ask, without taking the report away. */
static int ask_stops(struct dump_task *dt)
{
	struct task *child;

	list_for_each(child, &dt->t.children, sibling) {
		unsigned long args[6] = { P_PID, child->host_pid, compel_args_address(dt->ctl),
					  WSTOPPED | WNOHANG | WNOWAIT };
		siginfo_t info;
		long value;
		int err;

		if (child->state != TASK_STOPPED)
			continue;
		memset(&info, 0, sizeof(info));
		err = compel_args_write(dt->ctl, 0, &info, sizeof(info));
		if (!err)
			err = compel_syscall(dt->ctl, SYS_waitid, args, &value);
		if (!err)
			err = compel_args_read(dt->ctl, 0, &info, sizeof(info));
		if (err < 0)
			return fail(err, "ask for stopped child %d: %s", child->host_pid, compel_why(dt->ctl));
		child->stop_unseen = !value && info.si_pid == child->pid;
	}
	return 0;
}

static int infect_and_ask(struct dump_task *dt, size_t nr_fds)
{
	int err = compel_infect(dt->ctl, &parasite_blob, args_size(dt, nr_fds));

	if (err < 0)
		return fail(err, "run code in the process: %s", compel_why(dt->ctl));
	err = ask_task(dt);
	for (size_t i = 0; !err && i < dt->nr_threads; i++)
		err = ask_thread(dt, &dt->threads[i]);
	if (!err && dt->files_owner)
		err = ask_fds(dt);
	if (!err)
		err = ask_stops(dt);
	return err;
}

static int visit(struct dump_task *dt)
{
	size_t nr_fds;
	int err = fill_question(dt), cured;

	if (!err)
		err = count_fds(dt, &nr_fds);
	if (!err)
		err = open_cave(dt);
	if (err)
		return err;
	err = infect_and_ask(dt, nr_fds);
	cured = compel_cure(dt->ctl);
	dt->ctl = NULL;
	if (cured < 0 && !err)
		err = fail(cured, "take our code out of the process again");
	return err;
}

static int read_rseq(struct dump_thread *th)
{
	struct {
		uint64_t pointer;
		uint32_t size, signature, flags, pad;
	} conf;

	/* PTRACE_GET_RSEQ_CONFIGURATION, ptrace(2); a kernel without rseq says EIO. */
	if (ptrace(0x420f, th->id.host_tid, sizeof(conf), &conf) != sizeof(conf))
		return 0;
	th->rseq_ptr = conf.pointer;
	th->rseq_size = conf.size;
	th->rseq_sig = conf.signature;
	return 0;
}

static int read_thread(struct dump_task *dt, struct dump_thread *th)
{
	_cleanup_proc_ struct proc proc = PROC_CLOSED;
	unsigned long head = 0, len = 0;
	int err = proc_open_thread(&dt->proc, th->id.host_tid, &proc);

	if (!err)
		err = proc_stat_read(&proc, &th->stat);
	if (!err)
		err = proc_status_read(&proc, &th->status);
	if (err < 0)
		return fail(err, "read /proc/%d/task/%d", dt->t.host_pid, th->id.host_tid);
	err = compel_state_for_image(th->id.host_tid, &th->cpu);
	if (err < 0)
		return fail(err, "read the registers of %d", th->id.host_tid);
	if (syscall(SYS_get_robust_list, th->id.host_tid, &head, &len) < 0)
		return fail(-errno, "robust list of %d", th->id.host_tid);
	th->robust_list = head;
	th->robust_list_len = len;
	return read_rseq(th);
}

int dump_infect(struct dump *dump)
{
	struct dump_task *dt;
	int err = dump_find_shared(dump);

	if (err)
		return err;
	dump_for_each_task(dt, dump) {
		LOG_SCOPE("pid %d", dt->t.host_pid);

		if (dt->t.state == TASK_DEAD)
			continue;
		/* Registers first: what they say of a restart is gone once we ran code there. */
		for (size_t i = 0; i < dt->nr_threads; i++) {
			err = read_thread(dt, &dt->threads[i]);
			if (err)
				return err;
		}
		err = proc_status_read(&dt->proc, &dt->status);
		if (err < 0)
			return fail(err, "read status");
		err = visit(dt);
		if (err)
			return err;
		err = dump_interrupted(dump);
		if (err)
			return err;
	}
	return 0;
}
