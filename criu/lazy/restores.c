// SPDX-License-Identifier: GPL-2.0-only
/*
 * Several restores of the same images. Each has a process of its own (worker.c), which reads the images, and with them the page cache that
 * all share, itself. What is at a source is fetched here, once, and kept in a file (kept.c).
 *
 * If this process is killed, the others continue as long as they need nothing from the source.
 */
#include "lazy/restores.h"
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include "base/bits.h"
#include "base/cleanup.h"
#include "lazy/kept.h"
#include "lazy/lazy.h"
#include "lazy/report.h"
#include "lazy/worker.h"
#include "run/interrupt.h"
#include "run/options.h"
#include "util/fds.h"
#include "util/log.h"

/* Others wait to be accepted: each has two processes, and descriptors here. */
#define AT_ONCE 64
#define RETRY_MS 1000 /* as often it is tried to start a process for one that was accepted */
#define TRIES 30 /* if no other one is served */
#define LOOK_MS 100 /* as often it is looked whether the last tree runs */

struct restores {
	struct lazy_daemon *d;
	struct kept *kept;
	const char *id;
	int listener, signals;
	uint64_t started, served, failed;
	bool stopping; /* by a signal */
	bool full; /* none can be accepted before another one has ended */
	bool has_pending; /* accepted, without a process yet */
	struct lazy_client pending;
	unsigned tries;
	struct worker v[AT_ONCE];
	size_t n, turn;
};

enum { AT_LISTENER, AT_SIGNALS, AT_SOURCE, AT_WORKERS };

static bool expects_more(const struct restores *r)
{
	const uint64_t want = r->d->opts->restores;

	return !r->stopping && !kept_is_lost(r->kept) && (!want || r->served + r->failed < want);
}

static bool may_accept(const struct restores *r)
{
	const uint64_t want = r->d->opts->restores;

	return expects_more(r) && !r->full && r->n < AT_ONCE && (!want || r->served + r->failed + r->n < want);
}

/*
 * As many as were asked for are served, and none of them can fail and leave its place to another one: their trees run. *ret_look: that may
 * change without a word to us.
 */
static bool has_all(const struct restores *r, bool *ret_look)
{
	const uint64_t want = r->d->opts->restores;

	*ret_look = expects_more(r) && want && r->served + r->failed + r->n >= want;
	for (size_t i = 0; *ret_look && i < r->n; i++)
		if (!atomic_load(&r->v[i].journal->committed))
			return false;
	return *ret_look;
}

static int refuse_more(struct restores *r)
{
	char why[128];

	if (kept_is_lost(r->kept))
		snprintf(why, sizeof(why), "it has lost the source of the pages");
	else if (r->stopping)
		snprintf(why, sizeof(why), "a signal has told it to end");
	else if (expects_more(r) && !r->n)
		snprintf(why, sizeof(why), "it ends because of an error");
	else
		snprintf(why, sizeof(why), "it has all restores that it is to serve, which are %lu (--restores)",
			 r->d->opts->restores);
	return lazy_refuse_all(r->listener, r->id, why);
}

static void stop_listening(struct restores *r)
{
	if (r->listener < 0)
		return;
	refuse_more(r);
	unlinkat(r->d->work_dir, LAZY_SOCKET, 0);
	close(r->listener);
	r->listener = -1;
}

static void drop_pending(struct restores *r)
{
	if (r->has_pending)
		close(r->pending.sock);
	r->has_pending = false;
}

/* It waits to be greeted meanwhile. */
static int start_pending(struct restores *r)
{
	struct worker *w = &r->v[r->n];
	int err;

	w->number = r->started + 1;
	err = worker_start(r->d, r->kept, &r->pending, w);
	r->full = err;
	if (err && !r->tries++)
		log_warn("lazy pages: a restore has to wait: a process that supplies its pages: %s", strerror(-err));
	if (err && (r->n || r->tries < TRIES))
		return 0;
	if (err) {
		drop_pending(r);
		return fail(err, "a process that supplies lazy pages");
	}
	r->has_pending = false;
	r->started++;
	r->n++;
	log_info("lazy pages: restore %lu is served by process %d", w->number, w->process.pid);
	return 0;
}

/* If there are no descriptors or processes for one more, it waits. */
static int accept_one(struct restores *r)
{
	int err = lazy_accept(r->listener, r->id, &r->pending);

	if (err == -EAGAIN)
		return 0;
	if (err) {
		r->full = r->n > 0;
		return r->full ? 0 : err;
	}
	r->has_pending = true;
	r->tries = 0;
	return start_pending(r);
}

static void end_one(struct restores *r, struct worker *w)
{
	enum worker_end end = worker_wait(w);

	if (end == WORKER_SERVED)
		log_info("lazy pages: restore %lu has all pages", w->number);
	else if (end == WORKER_LEFT)
		log_warn("lazy pages: restore %lu has failed, and does not count", w->number);
	if (end == WORKER_FAILED) {
		lazy_log(r->d);
		log_error("lazy pages: restore %lu has not got all pages", w->number);
	}
	r->served += end == WORKER_SERVED;
	r->failed += end == WORKER_FAILED;
	r->full = false;
	*w = r->v[--r->n];
}

/* The first one lets those that are served get all pages. */
static void take_signal(struct restores *r)
{
	struct signalfd_siginfo info;

	if (read(r->signals, &info, sizeof(info)) != sizeof(info))
		return;
	log_warn("lazy pages: signal %u: %s", info.ssi_signo,
		 r->stopping ? "the restores that are served are left" : "no more restores are accepted");
	for (size_t i = 0; r->stopping && i < r->n; i++)
		sys_pidfd_send_signal(r->v[i].process.pidfd, SIGKILL);
	r->stopping = true;
}

static uint64_t asked_len(const struct worker *w)
{
	return MIN_OF(w->asked.nr_pages, LAZY_CHUNK / PAGE_SZ) * PAGE_SZ;
}

static void answer_kept(struct restores *r)
{
	for (size_t i = 0; i < r->n; i++) {
		struct worker *w = &r->v[i];
		uint64_t at, len = 0;

		if (w->asked.command)
			len = kept_find(r->kept, (pid_t)w->asked.dst, w->asked.vaddr, asked_len(w), &at);
		if (len)
			worker_answer(w, at, len);
	}
}

/* Those for a page that somebody waits for first: they are short. */
static struct worker *next_asked(struct restores *r)
{
	struct worker *found = NULL;

	for (size_t n = 0; n < r->n; n++) {
		struct worker *w = &r->v[(r->turn + n) % r->n];

		if (w->asked.command && (!found || (asked_len(w) <= LAZY_AROUND && asked_len(found) > LAZY_AROUND)))
			found = w;
	}
	r->turn++;
	return found;
}

/* One request at a time is at the source. */
static void ask_source(struct restores *r)
{
	while (!kept_is_asking(r->kept)) {
		struct worker *w = next_asked(r);

		if (!w)
			return kept_ask_more(r->kept);
		if (kept_ask(r->kept, (pid_t)w->asked.dst, w->asked.vaddr, asked_len(w)))
			worker_hang_up(w);
	}
}

static size_t list_fds(const struct restores *r, bool accepts, struct pollfd *fds)
{
	size_t n = AT_WORKERS;

	fds[AT_LISTENER] = (struct pollfd){ .fd = accepts ? r->listener : -1, .events = POLLIN };
	fds[AT_SIGNALS] = (struct pollfd){ .fd = r->signals, .events = POLLIN };
	fds[AT_SOURCE] = (struct pollfd){ .fd = r->kept ? kept_watch(r->kept) : -1, .events = POLLIN };
	for (size_t i = 0; i < r->n; i++) {
		fds[n++] = (struct pollfd){ .fd = r->v[i].process.pidfd, .events = POLLIN };
		fds[n++] = (struct pollfd){ .fd = r->v[i].asked.command ? -1 : r->v[i].sock, .events = POLLIN };
	}
	return n;
}

static int step(struct restores *r)
{
	struct pollfd fds[AT_WORKERS + 2 * AT_ONCE];
	bool look, refuses = has_all(r, &look) && !r->full;
	size_t n;
	int ready;

	if (r->kept) {
		answer_kept(r);
		ask_source(r);
	}
	/* The source may have been lost by asking it: nothing tells of that again. */
	if (!expects_more(r)) {
		stop_listening(r);
		if (!r->n)
			return 0;
	}
	n = list_fds(r, refuses || may_accept(r), fds);
	ready = poll(fds, n, look && !refuses ? LOOK_MS : r->has_pending ? RETRY_MS : -1);
	if (ready < 0)
		return errno == EINTR ? 0 : fail(-errno, "poll");
	/* From the last: what takes the place of one that has ended was looked at before. */
	for (size_t i = r->n; i-- > 0;) {
		if (fds[AT_WORKERS + 2 * i + 1].revents)
			worker_read(&r->v[i]);
		if (fds[AT_WORKERS + 2 * i].revents)
			end_one(r, &r->v[i]);
	}
	if (fds[AT_SIGNALS].revents)
		take_signal(r);
	if (fds[AT_SOURCE].revents)
		kept_answer(r->kept);
	if (r->has_pending && !expects_more(r))
		drop_pending(r);
	if (r->has_pending)
		return !ready || !r->full ? start_pending(r) : 0;
	if (!fds[AT_LISTENER].revents)
		return 0;
	if (!refuses)
		return may_accept(r) ? accept_one(r) : 0;
	/* Without a descriptor for that it waits for the end of one. */
	r->full = refuse_more(r) < 0;
	return 0;
}

static int outcome(const struct restores *r)
{
	const uint64_t want = r->d->opts->restores, all = r->served + r->failed;

	if (r->failed)
		return fail(-EIO, "%lu of %lu restores have not got all pages", r->failed, all);
	if (want && all < want)
		return fail(r->stopping ? -EINTR : -ECONNRESET, "%lu of %lu restores were served", all, want);
	return kept_is_lost(r->kept) ? -ECONNRESET : 0;
}

int restores_serve(struct lazy_daemon *d, struct kept *kept, int listener, const char *id)
{
	struct restores r = { .d = d, .kept = kept, .id = id, .listener = listener };
	_cleanup_close_ int signals = -1;
	sigset_t mask, was;
	int err;

	interrupt_begin(&was);
	interrupt_signals(&mask);
	signals = r.signals = signalfd(-1, &mask, SFD_NONBLOCK | SFD_CLOEXEC);
	err = signals < 0 ? fail(-errno, "signalfd") : 0;
	while (!err && (r.n || expects_more(&r))) {
		err = step(&r);
		if (!expects_more(&r))
			stop_listening(&r);
	}
	stop_listening(&r);
	drop_pending(&r);
	interrupt_end(&was);
	return err ? err : outcome(&r);
}
