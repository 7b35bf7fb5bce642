// SPDX-License-Identifier: GPL-2.0-only
/*
 * A third thread fetches pages from the source: one request at a time, those that somebody waits for first. What comes is
 * supplied to all processes that miss it, so that it crosses once.
 */
#include "lazy/remote.h"
#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include "base/bits.h"
#include "lazy/report.h"
#include "lazy/supply.h"
#include "lazy/wanted.h"
#include "run/options.h"
#include "transport/endpoint.h"
#include "transport/message.h"
#include "util/fds.h"
#include "util/log.h"

struct remote {
	struct connection connection;
	pthread_t thread;
	char *chunk;
	int kept; /* a file with pages, to which answers refer; -1: they come with their content */
};

/* Pages as the source knows them. */
struct request {
	pid_t pid;
	uint64_t vaddr, len;
};

static int lost(struct lazy_daemon *d, int err)
{
	if (err == -EINTR)
		return err;
	lazy_log(d);
	return fail(err == -ENODATA || err == -EPIPE ? -ECONNRESET : err, "the source of lazy pages, %s, is lost",
		    d->remote->connection.peer);
}

static void request_of(const struct lazy_space *space, const struct lazy_range *range, uint64_t start, uint64_t end,
		       struct request *ret)
{
	uint64_t len = space_stretch(space, range, start, end - start, true);

	*ret = (struct request){ space->pid, range->at + (start - range->start), len };
}

/* False: none is waited for. */
static bool next_wanted(struct lazy_daemon *d, struct request *ret)
{
	const struct lazy_range *range;
	struct lazy_fault want;
	uint64_t end;

	if (!wanted_take(d, &want, &range))
		return false;
	end = ROUND_DOWN(want.addr, LAZY_AROUND) + LAZY_AROUND;
	request_of(want.space, range, want.addr, MIN_OF(range->end, end), ret);
	return true;
}

static bool next_missing(struct lazy_daemon *d, struct request *ret)
{
	for (struct lazy_space *s = d->spaces; s; s = s->next)
		for (size_t i = 0; !s->ended && i < s->n; i++) {
			const struct lazy_range *range = &s->v[i];
			uint64_t len = range->end - range->start, skip;

			skip = range->fd < 0 ? space_stretch(s, range, range->start, len, false) : len;
			if (skip == len)
				continue;
			request_of(s, range, range->start + skip, MIN_OF(range->end, range->start + skip + LAZY_CHUNK),
				   ret);
			return true;
		}
	return false;
}

/* Waits for something to ask for. Before the tree is complete only what is waited for. False: it is to end. */
static bool next_request(struct lazy_daemon *d, struct request *ret)
{
	bool found = false;

	pthread_mutex_lock(&d->lock);
	while (!found && !d->stop) {
		found = next_wanted(d, ret) || (d->committed && next_missing(d, ret));
		if (!found)
			pthread_cond_wait(&d->more, &d->lock);
	}
	pthread_mutex_unlock(&d->lock);
	return found;
}

/* @request becomes what was received. */
static int fetch(struct lazy_daemon *d, struct request *request, uint32_t *ret_mark)
{
	struct remote *r = d->remote;
	uint8_t bytes[MESSAGE_SIZE];
	struct message m = { .command = MESSAGE_GET,
			     .mark = MESSAGE_MARK,
			     .nr_pages = request->len / PAGE_SZ,
			     .vaddr = request->vaddr,
			     .dst = (uint64_t)request->pid };
	int err;

	message_encode(&m, bytes);
	err = connection_send(&r->connection, bytes, sizeof(bytes), false);
	if (!err)
		err = connection_recv(&r->connection, bytes, sizeof(bytes));
	if (err)
		return lost(d, err);
	message_decode(bytes, &m);
	if (m.command != MESSAGE_ADD_F || m.flags != MESSAGE_PRESENT || m.vaddr != request->vaddr || !m.nr_pages ||
	    m.nr_pages > request->len / PAGE_SZ) {
		lazy_log(d);
		return fail(-EPROTO,
			    "the source of lazy pages, %s, has sent something else than the pages at %lx of process %d",
			    r->connection.peer, request->vaddr, request->pid);
	}
	request->len = m.nr_pages * PAGE_SZ;
	*ret_mark = m.mark;
	if (r->kept >= 0) {
		err = pread_exact(r->kept, r->chunk, request->len, (off_t)m.dst);
		return err ? fail(err, "pages of the source that were kept") : 0;
	}
	err = connection_recv(&r->connection, r->chunk, request->len);
	return err ? lost(d, err) : 0;
}

/* -EAGAIN: a process is changing its memory. */
static int supply_space(struct lazy_daemon *d, struct lazy_space *space, const struct request *got)
{
	uint64_t end = got->vaddr + got->len;
	int err = 0;

	for (size_t i = 0; !err && i < space->n; i++) {
		const struct lazy_range *range = &space->v[i];
		uint64_t from = MAX_OF(got->vaddr, range->at);
		uint64_t to = MIN_OF(end, range->at + (range->end - range->start));

		if (range->fd < 0 && from < to) {
			struct lazy_pages pages = { space, range, range->start + (from - range->at), to - from };

			err = supply(&pages, d->remote->chunk + (from - got->vaddr));
		}
	}
	return err == -ESRCH ? 0 : err;
}

static void supply_all(struct lazy_daemon *d, const struct request *got)
{
	int err;

	do {
		err = 0;
		pthread_mutex_lock(&d->lock);
		for (struct lazy_space *s = d->spaces; s; s = s->next) {
			int one = s->pid == got->pid && s->uffd >= 0 && !s->ended ? supply_space(d, s, got) : 0;

			err = one ? one : err;
		}
		pthread_mutex_unlock(&d->lock);
		if (err)
			usleep(LAZY_BUSY_US); /* style: until the first thread has read the event, or there is memory */
	} while (err == -EAGAIN || err == -ENOMEM);
	eventfd_write(d->kick, 1);
}

static void *run(void *arg)
{
	struct lazy_daemon *d = arg;
	struct request request;
	uint32_t mark;

	while (next_request(d, &request)) {
		int err = fetch(d, &request, &mark);

		if (err) {
			atomic_store(&d->failed, err);
			eventfd_write(d->kick, 1);
			break;
		}
		supply_all(d, &request);
	}
	return NULL;
}

/*
 * Its content is asked for again. If nothing is missing, nobody says what the source is: if it is lost before the restore is complete, the
 * images are all there for another one, and perhaps its tree continues.
 */
static int fetch_first(struct lazy_daemon *d)
{
	struct request first;
	uint32_t mark;
	int err;

	if (!next_missing(d, &first)) {
		atomic_store(&d->journal->live, LAZY_SOURCE_UNKNOWN);
		return 0;
	}
	first.len = PAGE_SZ;
	err = fetch(d, &first, &mark);
	if (!err && mark == MESSAGE_MARK_LIVE)
		atomic_store(&d->journal->live, LAZY_SOURCE_LIVE);
	return err;
}

static int new_remote(struct lazy_daemon *d)
{
	struct remote *r = calloc(1, sizeof(*r));

	if (!r || !(r->chunk = malloc(LAZY_CHUNK))) {
		free(r);
		return fail(-ENOMEM, "lazy pages");
	}
	r->connection = CONNECTION_NONE;
	r->kept = -1;
	d->remote = r;
	return 0;
}

static int start_thread(struct lazy_daemon *d)
{
	int err = pthread_create(&d->remote->thread, NULL, run, d);

	return err ? fail(-err, "a thread for lazy pages") : 0;
}

static int connect_source(struct lazy_daemon *d)
{
	int err = new_remote(d);

	if (!err)
		err = endpoint_connect(d->opts, -1, &d->remote->connection);
	return err ? err : fetch_first(d);
}

int remote_begin(struct lazy_daemon *d)
{
	int err = connect_source(d);

	return err ? err : start_thread(d);
}

int remote_begin_kept(struct lazy_daemon *d, int sock, int kept)
{
	int err = new_remote(d);

	if (err) {
		close(sock);
		return err;
	}
	d->remote->connection.fd = sock;
	snprintf(d->remote->connection.peer, sizeof(d->remote->connection.peer), "the first daemon");
	d->remote->kept = kept;
	return start_thread(d);
}

/* One that continues when a restore fails must not have others that go on. */
int remote_connect(struct lazy_daemon *d)
{
	int err = connect_source(d);

	if (!err && atomic_load(&d->journal->live) == LAZY_SOURCE_LIVE)
		err = fail(
			-EBUSY,
			"--restores: the source is a stopped tree (dump --lazy-pages), which can continue in one place "
			"only: restore it without, or give page-server --lazy-pages complete images");
	if (!err && atomic_load(&d->journal->live) == LAZY_SOURCE_UNKNOWN)
		err = fail(-EBUSY, "--restores: the images here have all pages: leave out --page-server");
	return err;
}

int remote_fetch(struct lazy_daemon *d, pid_t pid, uint64_t vaddr, uint64_t *len, const char **ret)
{
	struct request request = { pid, vaddr, *len };
	uint32_t mark;
	int err = fetch(d, &request, &mark);

	*len = request.len;
	*ret = d->remote->chunk;
	return err;
}

int remote_fd(const struct lazy_daemon *d)
{
	return d->remote->connection.fd;
}

int remote_hung_up(struct lazy_daemon *d)
{
	return lost(d, -ECONNRESET);
}

static int give_up_range(struct lazy_daemon *d, struct lazy_space *space, const struct lazy_range *range)
{
	int err = 0;

	for (uint64_t at = range->start; !err && at < range->end;) {
		uint64_t len = space_stretch(space, range, at, range->end - at, true);
		const struct lazy_pages pages = { space, range, at, len };

		err = len ? supply_lost(d, &pages, atomic_load(&d->failed)) : 0;
		at += len;
		at += space_stretch(space, range, at, range->end - at, false);
	}
	return err;
}

int remote_give_up(struct lazy_daemon *d)
{
	int ret = 0;

	for (struct lazy_space *s = d->spaces; s; s = s->next) {
		int err = 0;

		for (size_t i = 0; !err && i < s->n && s->uffd >= 0 && !s->ended; i++)
			if (s->v[i].fd < 0)
				err = give_up_range(d, s, &s->v[i]);
		if (err && err != -ESRCH)
			ret = -EAGAIN;
	}
	return ret;
}

/*
 * 0: the source ends, or has ended. -EREMOTEIO: it says that it continues. Otherwise it is not known: it may have ended, and then this is
 * the only tree.
 */
static int confirm(struct remote *r)
{
	struct message m = { .command = MESSAGE_CLOSE, .mark = MESSAGE_MARK };
	uint8_t bytes[MESSAGE_SIZE];
	uint32_t status = 0;
	int err;

	message_encode(&m, bytes);
	err = connection_send(&r->connection, bytes, sizeof(bytes), false);
	if (!err)
		err = connection_recv(&r->connection, &status, sizeof(status));
	return !err && status ? -EREMOTEIO : err;
}

void remote_stop_at(struct lazy_daemon *d, int fd)
{
	d->remote->connection.stop_fd = fd;
}

/* What encodes its bytes would tell the source of the end. */
void remote_leave(struct lazy_daemon *d)
{
	close(d->remote->connection.fd);
	free(d->remote->chunk);
	free(d->remote);
	d->remote = NULL;
}

void remote_disconnect(struct lazy_daemon *d, bool complete)
{
	struct remote *r = d->remote;

	if (r->connection.fd >= 0 && complete && confirm(r))
		log_warn("lazy pages: the source, %s, has not confirmed that it knows that we need it no more",
			 r->connection.peer);
	connection_close(&r->connection);
}

int remote_end(struct lazy_daemon *d)
{
	int err;

	pthread_mutex_lock(&d->lock);
	d->stop = true;
	pthread_cond_broadcast(&d->more);
	pthread_mutex_unlock(&d->lock);
	pthread_join(d->remote->thread, NULL);
	/* criu-migrate looks for this line: lib/py/criu_migrate/lazy_target.py */
	log_info("lazy pages: all of them are here");
	atomic_store(&d->journal->finished, LAZY_CONFIRMING);
	err = confirm(d->remote);
	/* Then it stays open until the holder has ended the tree. */
	if (err == -EREMOTEIO && atomic_load(&d->journal->live)) {
		atomic_store(&d->journal->finished, LAZY_UNFINISHED);
		return fail(err, "all pages are here, but the source, %s, continues", d->remote->connection.peer);
	}
	connection_close(&d->remote->connection);
	if (err)
		log_warn("all pages are here, but the source, %s, has not confirmed that it knows",
			 d->remote->connection.peer);
	return 0;
}

bool remote_confirm_again(const struct lazy_daemon *d)
{
	/* The state of its encryption has gone with the daemon. */
	if (d->remote->connection.codec)
		return true;
	return confirm(d->remote) != -EREMOTEIO || !atomic_load(&d->journal->live);
}
