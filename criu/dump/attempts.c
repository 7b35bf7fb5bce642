/* SPDX-License-Identifier: GPL-2.0-only */
/* Entry points: a dump, retried while transient obstacles are expected to pass; or a check. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>
#include "dump/dump.h"
#include "run/dump.h"
#include "run/interrupt.h"
#include "run/notify.h"
#include "transport/client.h"
#include "util/log.h"

static void report_frozen(uint64_t us)
{
	if (isatty(STDERR_FILENO))
		dprintf(STDERR_FILENO, "frozen for %lu.%03lu ms\n", us / 1000, us % 1000);
}

/* State shared by the attempts of one dump. */
struct attempts {
	unsigned int nr; /* failed so far */
	uint64_t until; /* stats_now(): an attempt that starts later is the last one */
	uint64_t frozen_us; /* by failed attempts */
	struct page_client *page_client; /* NULL: not connected */
	struct pid_array attached; /* threads that they have seized and that have not stopped yet */
};

/* Without a limit (--timeout 0) transient obstacles get the same time. */
#define RETRY_SEC_DEFAULT 10
/* How long the tree runs before the second attempt; doubled for each further one, up to a limit. */
#define FIRST_PAUSE_MS 2
#define PAUSE_DOUBLINGS 6u

static int dump_once(const struct options *opts, struct attempts *attempts, bool *ret_again)
{
	struct dump *dump = dump_new(opts);
	unsigned int said = log_error_count();
	int err;

	if (!dump)
		return fail(-ENOMEM, "dump");
	dump->mode = opts->pre_dump						      ? DUMP_PRE_DUMP :
		     opts->leave_running && !opts->lazy_pages && !notify_wanted(opts) ? DUMP_SHORT_FREEZE :
											DUMP_FULL;
	dump->attempt = attempts->nr;
	dump->retry_until = attempts->until;
	/* Answers about mappings must be each task's own. */
	dump->no_alikes = opts->track_mem || opts->parent_dir;
	dump->attached = &attempts->attached;
	dump->page_client = &attempts->page_client;
	err = dump_run_phases(dump);
	attempts->frozen_us += dump->stats.dump.frozen_time;
	dump->stats.dump.frozen_time = attempts->frozen_us;
	if (!err)
		stats_finish_dump(opts, opts->work_dir_fd, &dump->stats.dump);
	if (!err && opts->leave_running)
		report_frozen(dump->stats.dump.frozen_time);
	*ret_again = err < 0 && dump->try_again && log_error_count() == said;
	/* Whatever fails logs the reason; if it did not, the user still gets a message. */
	if (err < 0 && !*ret_again && log_error_count() == said)
		fail(err, "the %s of %d failed (%s)", opts->pre_dump ? "pre-dump" : "dump", opts->pid, dump->phase);
	if (err < 0 && !*ret_again && attempts->nr && err != -EINTR)
		log_error("the dump of %d was tried %u times (--timeout)", opts->pid, attempts->nr + 1);
	dump_free(dump);
	return err;
}

/* The tree runs for a moment, and so do threads that stop only now. */
static void pause_before_retry(struct attempts *attempts)
{
	int ms = FIRST_PAUSE_MS << MIN_OF(attempts->nr, PAUSE_DOUBLINGS);

	for (; attempts->attached.n && ms > 0; ms--) {
		interrupt_wait(1);
		dump_release_attached(&attempts->attached);
	}
	interrupt_wait(ms);
	attempts->nr++;
}

int dump_run(const struct options *opts)
{
	const uint64_t seconds = opts->timeout_sec ? opts->timeout_sec : RETRY_SEC_DEFAULT;
	struct attempts attempts = { .until = stats_now() + seconds * 1000000 };
	sigset_t old;
	bool again;
	int err;

	interrupt_begin(&old);
	while ((err = dump_once(opts, &attempts, &again)) < 0 && again)
		pause_before_retry(&attempts);
	if (!err && attempts.nr)
		log_info("the dump was started %u times, because of transient obstacles", attempts.nr + 1);
	/* A signal that arrived too late to stop the dump: the caller gets the result of the dump. */
	interrupt_end(&old);
	page_client_free(attempts.page_client);
	dump_release_attached(&attempts.attached);
	array_free(&attempts.attached);
	return err;
}

int dump_check(const struct options *opts, void (*report)(void *arg, const struct blocker *blocker), void *arg)
{
	struct dump *dump = dump_new(opts);
	int err;

	if (!dump)
		return fail(-ENOMEM, "check");
	dump->mode = DUMP_CHECK;
	err = dump_run_phases(dump);
	for (struct blocker *b = dump->blockers.first; b; b = b->next)
		report(arg, b);
	if (!err)
		err = (int)MIN_OF(dump->blockers.nr, (size_t)INT32_MAX);
	dump_free(dump);
	return err;
}
