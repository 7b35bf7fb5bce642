/* SPDX-License-Identifier: GPL-2.0-only */
/* Queries in the processes what only they can see: one short visit each, cured before anything else is done. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "dump/dump.h"
#include "memory/memory.h"
#include "parasite_blob.h"
#include "run/dump.h"
#include "util/log.h"

static int fill_question(struct dump *dump, struct dump_task *dt)
{
	int err = 0;

	dt->parasite_len = sizeof(*dt->parasite);
	dt->parasite = calloc(1, dt->parasite_len);
	if (!dt->parasite)
		return fail(-ENOMEM, "parasite");
	for (const struct task_kind *const *kind = task_kinds; !err && *kind; kind++)
		err = (*kind)->ask ? (*kind)->ask(dump, dt) : 0;
	return err;
}

/*
 * One command for all queries of the process and its first thread. They include close-on-exec flags: outside, only
 * fdinfo shows them, at ten times the cost.
 */
struct question {
	char *text; /* struct parasite_visit and the data at its offsets */
	size_t len;
	struct parasite_thread *thread;
	struct parasite_fds *fds;
	struct parasite_policy_list *policies;
};

static int build_request(struct dump_task *dt, struct question *q)
{
	struct parasite_visit v = { .task = sizeof(v) };

	v.thread = v.task + ROUND_UP(dt->parasite_len, 8);
	v.fds = v.thread + ROUND_UP(sizeof(*q->thread), 8);
	v.policies = v.fds + ROUND_UP(sizeof(*q->fds) + dt->nr_fds * sizeof(q->fds->fds[0]), 8);
	q->len = v.policies + memory_policies_size(dt);
	q->text = calloc(1, q->len);
	if (!q->text)
		return fail(-ENOMEM, "parasite");
	q->thread = (struct parasite_thread *)(q->text + v.thread);
	q->fds = (struct parasite_fds *)(q->text + v.fds);
	q->policies = (struct parasite_policy_list *)(q->text + v.policies);
	memcpy(q->text, &v, sizeof(v));
	memcpy(q->text + v.task, dt->parasite, dt->parasite_len);
	q->fds->nr = dt->nr_fds;
	for (size_t i = 0; i < dt->nr_fds; i++)
		q->fds->fds[i] = dt->fds[i].fd;
	memory_lay_policies(dt, q->policies);
	return 0;
}

static int query_task(struct dump_task *dt, struct question *q)
{
	long value;
	int err = compel_args_write(dt->ctl, 0, q->text, q->len);

	if (!err)
		err = compel_command(dt->ctl, PARASITE_VISIT, &value);
	if (!err)
		err = value < 0 ? (int)value : compel_args_read(dt->ctl, 0, q->text, q->len);
	if (err < 0)
		return fail(err, "query the process through the parasite: %s", compel_error(dt->ctl));
	memcpy(dt->parasite, q->text + sizeof(struct parasite_visit), dt->parasite_len);
	dt->asked_at = clocks_now().monotonic;
	dt->threads[0].parasite = *q->thread;
	for (size_t i = 0; i < dt->nr_fds; i++)
		dt->fds[i].cloexec = q->fds->fds[i] & 1;
	return memory_take_policies(dt, (uint32_t)((char *)q->policies - q->text), q->policies);
}

/* So many threads store their answers before they are fetched. */
#define THREADS_AT_ONCE 256ul

static size_t threads_size(size_t nr)
{
	return sizeof(struct parasite_threads) + MIN_OF(nr, THREADS_AT_ONCE) * sizeof(struct parasite_thread);
}

static int cmp_cpu(const void *a, const void *b)
{
	const struct dump_thread *const *x = a, *const *y = b;

	return (*x)->stat.processor - (*y)->stat.processor;
}

/*
 * All threads that are to be asked, in the order of the CPUs they are on: we have to be on the same each time. The first
 * one has been.
 */
static struct dump_thread **in_cpu_order(struct dump_task *dt, size_t *ret_n)
{
	struct dump_thread **v = calloc(dt->nr_threads, sizeof(struct dump_thread *));

	*ret_n = 0;
	for (size_t i = 1; v && i < dt->nr_threads; i++)
		if (!dump_answer_alike_thread(dt, &dt->threads[i]))
			v[(*ret_n)++] = &dt->threads[i];
	if (v)
		qsort(v, *ret_n, sizeof(struct dump_thread *), cmp_cpu);
	return v;
}

static int query_some(struct dump_task *dt, struct dump_thread *const *threads, size_t nr,
		      struct parasite_threads *answers)
{
	long value;
	int err;

	answers->nr = 0;
	answers->room = nr;
	err = compel_args_write(dt->ctl, 0, answers, sizeof(*answers));
	for (size_t i = 0; !err && i < nr; i++) {
		err = compel_thread_command(dt->ctl, threads[i]->id.host_tid, &threads[i]->snapshot, PARASITE_THREAD,
					    &value);
		if (!err && value < 0)
			err = (int)value;
		if (err < 0)
			return fail(err, "query thread %d through the parasite: %s", threads[i]->id.host_tid,
				    compel_error(dt->ctl));
	}
	if (!err)
		err = compel_args_read(dt->ctl, 0, answers, sizeof(*answers) + nr * sizeof(answers->threads[0]));
	if (!err && answers->nr != nr)
		err = -EPROTO;
	for (size_t i = 0; !err && i < nr; i++)
		threads[i]->parasite = answers->threads[i];
	return err < 0 ? fail(err, "query threads through the parasite: %s", compel_error(dt->ctl)) : 0;
}

static int query_threads(struct dump_task *dt)
{
	_cleanup_free_ struct parasite_threads *answers = malloc(threads_size(THREADS_AT_ONCE));
	size_t n;
	_cleanup_free_ struct dump_thread **threads = in_cpu_order(dt, &n);
	int err = answers && threads ? 0 : fail(-ENOMEM, "parasite");

	for (size_t i = 0; !err && i < n; i += THREADS_AT_ONCE)
		err = query_some(dt, threads + i, MIN_OF(n - i, THREADS_AT_ONCE), answers);
	log_debug("%zu threads asked, %zu have the first one's answers", n, dt->nr_threads - 1 - n);
	return err;
}

/* Has the task already waited for the stop of a child? Only the task itself can check without consuming the report. */
static int query_stops(struct dump_task *dt)
{
	struct task *child;

	list_for_each(child, &dt->t.children, sibling) {
		unsigned long args[6] = { P_PID, child->pid, compel_args_address(dt->ctl),
					  WSTOPPED | WNOHANG | WNOWAIT | __WALL };
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
			return fail(err, "query stopped child %d: %s", child->host_pid, compel_error(dt->ctl));
		child->stop_unseen = !value && info.si_pid == child->pid;
	}
	return 0;
}

static int query_kinds(struct dump *dump, struct dump_task *dt)
{
	int err = 0;

	for (const struct task_kind *const *kind = task_kinds; !err && *kind; kind++)
		err = (*kind)->in_target ? (*kind)->in_target(dump, dt) : 0;
	return err;
}

static int infect_and_query(struct dump *dump, struct dump_task *dt, struct question *q)
{
	size_t size = MAX_OF(q->len, MAX_OF(threads_size(dt->nr_threads), (size_t)TASK_KIND_ARGS));
	int err = compel_infect(dt->ctl, &parasite_blob, size);

	if (err == -ENOMEM)
		return fail(err, "run code in the process, which has %zu mappings (vm.max_map_count, RLIMIT_AS): %s",
			    dt->maps.n - 1, compel_error(dt->ctl));
	if (err == -EAGAIN)
		return fail(err, "run code in the process, which locks all that it maps (RLIMIT_MEMLOCK): %s",
			    compel_error(dt->ctl));
	if (err < 0)
		return fail(err, "run code in the process: %s", compel_error(dt->ctl));
	err = query_task(dt, q);
	if (!err)
		err = memory_arch_ask(dump, dt);
	if (!err && dt->nr_threads > 1)
		err = query_threads(dt);
	if (!err)
		err = query_stops(dt);
	return err ? err : query_kinds(dump, dt);
}

static int visit(struct dump *dump, struct dump_task *dt)
{
	struct question q = { 0 };
	int err = fill_question(dump, dt);

	if (!err && dt->files_owner)
		err = dump_list_fds(dt);
	if (!err)
		err = dump_read_mappings(dump, dt);
	if (!err)
		err = build_request(dt, &q);
	if (!err)
		err = infect_and_query(dump, dt, &q);
	free(q.text);
	return err;
}

static int no_place(const struct dump_task *dt, int err)
{
	return fail(err, "no safe place to run code in the process: %s", compel_error(dt->ctl));
}

/*
 * The placeholder for the first thread has copies of another thread's attributes, some of which must not be in two
 * threads.
 */
static void forget_others(const struct dump_task *dt)
{
	struct dump_thread *th = &dt->threads[0];

	if (!th->stand_in)
		return;
	memcpy(th->stat.comm, dt->stat.comm, sizeof(th->stat.comm));
	th->status.seccomp = 0;
	th->robust_list = 0;
	th->snapshot.rseq = 0;
	th->call.nr = 0;
	th->parasite.clear_child_tid = 0;
	th->parasite.pdeath_signal = 0;
}

/* Registers first: what they show of a restart is lost once code has run there. */
static int infect(struct dump *dump, struct dump_task *dt)
{
	int err = compel_open_begin(dt->threads[0].id.host_tid, &dt->ctl), cured;

	if (err)
		return no_place(dt, err);
	err = dump_read_threads(dump, dt);
	if (err == -EAGAIN)
		return fail(err, "process %d: a thread is in code that a killed dump left behind", dt->t.host_pid);
	if (!err) {
		err = compel_open_finish(dt->ctl, &dt->threads[0].snapshot);
		err = err ? no_place(dt, err) : visit(dump, dt);
		forget_others(dt);
	}
	cured = compel_cure(dt->ctl);
	dt->ctl = NULL;
	if (cured < 0 && !err)
		err = fail(cured, "remove our code from the process");
	return err;
}

static int learn_task(struct dump *dump, struct dump_task *dt)
{
	int err = dump_answer_alike(dump, dt);

	if (err != -EAGAIN)
		return err;
	err = infect(dump, dt);
	if (!err)
		dump_note_donor(dump, dt);
	return err;
}

/*
 * What a dumper that died left in a memory may be in use by any task that shares it: it must finish in all of them
 * before the first one gets new code. (Our own visits end one by one.)
 */
static int clear_shared_memory(struct dump *dump)
{
	struct dump_task *dt;
	int err = 0;

	dump_for_each_task(dt, dump) {
		LOG_SCOPE("pid %d", dt->t.pid);

		if (err || dt->mm_owner || dt->t.state == TASK_DEAD)
			continue;
		err = compel_open_begin(dt->threads[0].id.host_tid, &dt->ctl);
		if (err)
			return no_place(dt, err);
		err = compel_cure(steal_ptr(&dt->ctl));
	}
	return err;
}

static int report_stopped(struct dump *dump)
{
	struct dump_task *dt;
	int err = 0;

	dump_for_each_task(dt, dump) {
		LOG_SCOPE("pid %d", dt->t.pid);

		for (const struct task_kind *const *kind = task_kinds; !err && *kind; kind++)
			if ((*kind)->stopped && dt->t.state != TASK_DEAD)
				err = (*kind)->stopped(dump, dt);
	}
	return err;
}

int dump_infect(struct dump *dump)
{
	struct dump_task *dt;
	int err = dump_read_kernel_tasks(dump);

	if (!err)
		err = report_stopped(dump);
	if (!err)
		err = dump_find_shared(dump);
	if (!err)
		err = clear_shared_memory(dump);
	if (err)
		return err;
	dump_for_each_task(dt, dump) {
		LOG_SCOPE("pid %d", dt->t.pid);

		if (dt->t.state == TASK_DEAD)
			continue;
		err = learn_task(dump, dt);
		if (!err)
			err = dump_interrupted_soon(dump);
		if (err)
			return err;
	}
	return 0;
}
