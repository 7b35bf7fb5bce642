// SPDX-License-Identifier: GPL-2.0-only
/*
 * The kernel's state of a call that it would continue: the image has to contain how much of its time is left. Where
 * that is not available (no BPF), the call returns EINTR in the restored process, rather than waiting for its full time
 * again.
 */
#include <errno.h>
#include <string.h>
#include "dump/dump.h"
#include "run/dump.h"
#include "util/log.h"

static void close_reader(void *reader)
{
	timed_call_reader_close(reader);
}

static int open_reader(struct dump *dump)
{
	int err = dump->timed_calls_unreadable;

	if (dump->timed_calls || err)
		return err;
	err = timed_call_reader_open(&dump->timed_calls);
	if (!err && arena_defer(&dump->arena, close_reader, dump->timed_calls)) {
		timed_call_reader_close(dump->timed_calls);
		dump->timed_calls = NULL;
		err = -ENOMEM;
	}
	if (err)
		log_info(
			"the remaining time of interrupted calls cannot be read (BPF): %s; they return EINTR after a restore",
			strerror(-err));
	return dump->timed_calls_unreadable = err;
}

void dump_find_timed_call(struct dump *dump, struct dump_thread *th, int thread_dir)
{
	unsigned long args[6];
	int err;

	if (!compel_is_continued(&th->snapshot, args) || open_reader(dump))
		return;
	err = timed_call_read(dump->timed_calls, thread_dir, args, &th->call);
	if (err)
		log_info("thread %d: the remaining time of its call cannot be read: %s", th->id.host_tid,
			 strerror(-err));
	th->snapshot.continues = th->call.nr;
}

void dump_settle_timed_call(struct dump_thread *th)
{
	if (!compel_restarts_full_timeout(&th->snapshot, &th->cpu)) {
		th->call.limited = false;
		return;
	}
	if (!th->call.limited)
		th->call.limited = !compel_call_rest(th->id.host_tid, &th->cpu, &th->call.left_ns);
	if (!th->call.limited)
		compel_give_up_call(&th->cpu);
}
