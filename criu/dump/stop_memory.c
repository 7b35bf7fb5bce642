/* SPDX-License-Identifier: GPL-2.0-only */
#include "dump/stop_memory.h"
#include <errno.h>
#include <stdint.h>
#include "dump/dump.h"
#include "run/dump.h"

void dump_resume_memory(struct dump *dump, const struct dump_task *of)
{
	struct dump_task *dt;

	dump_for_each_task(dt, dump) {
		if (dt->t.ids.vm != of->t.ids.vm)
			continue;
		for (size_t i = 0; i < dt->nr_threads; i++)
			dump_resume_thread(dump, &dt->threads[i]);
		dump_forget_threads(dt);
	}
}

static int stop_process(struct dump *dump, struct dump_task *dt)
{
	int news = 0;

	/* What was known of its threads has been saved. */
	dump_forget_threads(dt);
	for (int quiet = 0; news >= 0 && quiet < 2; quiet = news ? 0 : quiet + 1) {
		news = dump_stop_threads(dump, dt);
		if (dt->t.state == TASK_DEAD)
			return -ESRCH;
	}
	return news < 0 ? news : dt->nr_threads ? 0 : -ESRCH;
}

int dump_stop_memory(struct dump *dump, const struct dump_task *of, uint64_t patience_us)
{
	const uint64_t until = dump->retry_until;
	const int signal_fd = dump->signal_fd;
	struct dump_stopping was;
	struct dump_task *dt;
	int err = 0;

	dump->retry_until = UINT64_MAX;
	dump->patience_us = patience_us;
	/* The wait has an end: a request to stop is left to dump_interrupted(). */
	dump->signal_fd = -1;
	dump_stop_begin(dump, &was);
	dump_for_each_task(dt, dump)
		if (!err && dt->t.state != TASK_DEAD && dt->t.ids.vm == of->t.ids.vm) {
			err = stop_process(dump, dt);
			if (dt != of && (err == -ESRCH || err == -ENOENT))
				err = 0;
		}
	dump_stop_end(&was);
	dump->retry_until = until;
	dump->patience_us = 0;
	dump->signal_fd = signal_fd;
	dump->try_again = false;
	if (err)
		dump_resume_memory(dump, of);
	return err;
}
