// SPDX-License-Identifier: GPL-2.0-only
/*
 * Threads of a process are usually alike. A thread whose task_struct equals that of the first thread in everything that
 * determines the parasite's answers is not queried, as the first one has been: the rest is read from kernel memory.
 */
#include <errno.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "dump/dump.h"
#include "run/dump.h"
#include "util/log.h"

#ifndef SS_AUTODISARM
#define SS_AUTODISARM (1u << 31)
#endif

/* Fewer are queried in less time than finding the offsets of fields takes. */
#define MIN_THREADS 16u

static int cmp_tid(const void *a, const void *b)
{
	const struct kernel_thread *x = a, *y = b;

	return (x->tid > y->tid) - (x->tid < y->tid);
}

static bool have_same_tids(const struct dump_task *dt, const struct kernel_thread *threads)
{
	for (size_t i = 0; i < dt->nr_threads; i++) {
		const struct kernel_thread key = { .tid = dt->threads[i].id.host_tid };

		if (!bsearch(&key, threads, dt->nr_threads, sizeof(key), cmp_tid))
			return false;
	}
	return true;
}

static int read_threads(struct dump *dump, struct dump_task *dt)
{
	const size_t n = dt->nr_threads;
	struct kernel_thread *threads = dump_alloc(dump, n * sizeof(*threads));
	int err = threads ? 0 : -ENOMEM;

	if (!err)
		err = kernel_threads_read(dump->kernel_tasks, dt->kernel, threads, n);
	if (err)
		return err;
	qsort(threads, n, sizeof(*threads), cmp_tid);
	if (!have_same_tids(dt, threads))
		return -ESRCH;
	for (size_t i = 0; i < n; i++) {
		const struct kernel_thread key = { .tid = dt->threads[i].id.host_tid };

		dt->threads[i].kernel = bsearch(&key, threads, n, sizeof(key), cmp_tid);
	}
	return 0;
}

void dump_read_kernel_threads(struct dump *dump)
{
	struct dump_task *dt;

	dump_for_each_task(dt, dump) {
		int err;

		if (!dt->kernel || dt->leader_ended || dt->nr_threads < MIN_THREADS)
			continue;
		err = read_threads(dump, dt);
		if (err)
			log_info("threads of %d cannot be read from kernel memory: %s; each of them is queried",
				 dt->t.host_pid, strerror(-err));
	}
}

/* State that is not compared, as most threads have none of it. */
static bool is_plain(const struct dump_thread *th)
{
	const struct kernel_thread_same *k = &th->kernel->same;

	return k->cred == k->real_cred && !k->io_context && !k->policy && !th->status.seccomp &&
	       (k->sched_policy == SCHED_OTHER || k->sched_policy == SCHED_BATCH || k->sched_policy == SCHED_IDLE);
}

bool dump_answer_alike_thread(const struct dump_task *dt, struct dump_thread *th)
{
	const struct dump_thread *first = &dt->threads[0];
	const struct kernel_thread *k = th->kernel;
	struct parasite_thread *to = &th->parasite;

	if (!k || !first->kernel || first->stand_in || !is_plain(th) ||
	    memcmp(&k->same, &first->kernel->same, sizeof(k->same)))
		return false;
	/* A keyring of a thread belongs to its credentials. */
	*to = first->parasite;
	to->clear_child_tid = k->clear_child_tid;
	to->altstack_sp = k->altstack_sp;
	to->altstack_size = k->altstack_size;
	/* As sigaltstack(2) reports it to code on another stack. */
	to->altstack_flags = (k->altstack_flags & SS_AUTODISARM) | (k->altstack_size ? 0 : SS_DISABLE);
	to->pdeath_signal = (int32_t)k->pdeath_signal;
	to->timer_slack_ns = k->timer_slack_ns;
	to->personality = k->personality;
	return true;
}

int dump_read_robust_list(struct dump_thread *th)
{
	unsigned long head = 0, len = sizeof(struct robust_list_head);

	if (th->kernel)
		head = th->kernel->robust_list;
	else if (syscall(SYS_get_robust_list, th->id.host_tid, &head, &len) < 0)
		return fail(-errno, "robust list of %d", th->id.host_tid);
	th->robust_list = head;
	th->robust_list_len = len;
	return 0;
}
