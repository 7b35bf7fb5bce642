// SPDX-License-Identifier: GPL-2.0-only
#include "lazy/source.h"
#include <endian.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include "base/bits.h"
#include "base/cleanup.h"
#include "lazy/hang_up.h"
#include "run/background.h"
#include "run/options.h"
#include "transport/endpoint.h"
#include "transport/message.h"
#include "util/log.h"

#define ANSWER_MAX (1ul << 20)

static int lost(const struct lazy_source *source, int err)
{
	if (err == -EINTR)
		return fail(err, "stopped by a signal before all pages were fetched: %s", source->if_lost);
	return fail(err == -ENODATA ? -ECONNRESET : err,
		    "the connection to the daemon of lazy pages is lost, and not all pages were fetched: %s",
		    source->if_lost);
}

static int answer_get(const struct lazy_source *source, struct connection *c, const struct message *asked, char *buffer)
{
	uint64_t len = MIN_OF(asked->nr_pages, ANSWER_MAX / PAGE_SZ) * PAGE_SZ;
	uint8_t header[MESSAGE_SIZE];
	struct message m = { .command = MESSAGE_ADD_F,
			     .flags = MESSAGE_PRESENT,
			     .mark = source->live ? MESSAGE_MARK_LIVE : MESSAGE_MARK,
			     .vaddr = asked->vaddr,
			     .dst = asked->dst };
	int err;

	if (!len || asked->vaddr % PAGE_SZ || asked->vaddr > USER_END_MAX || !asked->dst || asked->dst > INT_MAX)
		return fail(-EPROTO, "GET of %lu pages at %#lx of process %lu", asked->nr_pages, asked->vaddr,
			    asked->dst);
	err = source->read(source->arg, (pid_t)asked->dst, asked->vaddr, buffer, &len);
	if (err)
		return err;
	m.nr_pages = len / PAGE_SZ;
	message_encode(&m, header);
	err = connection_send(c, header, sizeof(header), true);
	if (!err)
		err = connection_send(c, buffer, len, false);
	return err ? lost(source, err) : 0;
}

/* 1: that was the end. */
static int serve_message(const struct lazy_source *source, struct connection *c, char *buffer)
{
	const uint32_t good = htole32(0);
	uint8_t bytes[MESSAGE_SIZE];
	char name[32];
	struct message m;
	int err = connection_recv(c, bytes, sizeof(bytes));

	if (err)
		return lost(source, err);
	message_decode(bytes, &m);
	switch (m.command) {
	case MESSAGE_GET:
		return answer_get(source, c, &m, buffer);
	case MESSAGE_CLOSE:
	case MESSAGE_FORCE_CLOSE:
		/* It has everything, whether it learns of that or not: noted first, as we may be killed. */
		if (source->complete)
			source->complete(source->arg);
		connection_send(c, &good, sizeof(good), false);
		return 1;
	}
	return fail(-EPROTO, "%s: only pages can be asked for here", message_name(m.command, name, sizeof(name)));
}

static int serve_client(const struct options *opts, const struct lazy_source *source, int *listener, int stop_fd)
{
	_cleanup_connection_ struct connection c = CONNECTION_NONE;
	_cleanup_free_ char *buffer = malloc(ANSWER_MAX);
	int err = endpoint_accept(opts, listener, stop_fd, &c);

	if (err)
		return err == -EINTR ? lost(source, err) : err;
	if (!buffer)
		return fail(-ENOMEM, "pages");
	log_info("lazy pages: client %s", c.peer);
	if (source->connected)
		source->connected(source->arg, &c);
	while (!err)
		err = serve_message(source, &c, buffer);
	if (err < 0 && source->live && lazy_hang_up(&c, err)) {
		log_warn("but it has all pages, and says so now");
		if (source->complete)
			source->complete(source->arg);
		err = 1;
	}
	return err < 0 ? err : 0;
}

int lazy_source_serve(const struct options *opts, const struct lazy_source *source, int stop_fd, int ready)
{
	_cleanup_close_ int listener = -1;
	uint16_t port;
	int err = endpoint_listen(opts, &listener, &port);

	if (!err && port)
		log_info("lazy pages: listening on port %u", port);
	if (!err)
		err = background_ready(opts, ready);
	return err ? err : serve_client(opts, source, &listener, stop_fd);
}
