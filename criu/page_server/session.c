// SPDX-License-Identifier: GPL-2.0-only
#include "page_server/session.h"
#include <endian.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include "base/bits.h"
#include "base/cleanup.h"
#include "transport/message.h"
#include "util/crc32c.h"
#include "util/log.h"

#define BUFFER_SIZE (1ul << 20)
/* A message that has begun, and its content, come at once. */
#define MESSAGE_TIMEOUT_MS 60000

struct session {
	struct connection *connection;
	struct images *images;
	bool shared, ours; /* the client is this program */
	bool begun, saved;
	int refused; /* an error: all that is still answered are questions */
	bool summed; /* pages get checksums */
	uint32_t sum; /* over those of all pages */
	struct page_session_outcome *outcome;
	uint64_t nr_images;
	char *buffer;
};

/* The reason why a message was not received, or an answer not sent. */
static int lost(const struct session *s, int err, const char *what)
{
	if (err == -ENODATA)
		return fail(-ECONNRESET,
			    "the client closed the connection before the end: what it has sent is incomplete");
	if (err == -EPIPE || err == -ECONNRESET)
		return fail(-ECONNRESET, "the connection was cut (%s)", what);
	if (err == -ETIMEDOUT)
		return fail(err, "the client stopped (%s)", what);
	if (err == -EINTR)
		return fail(err, "stopped by a signal (%s)", what);
	return fail(err, "the connection (%s)", what);
}

static int refuse(const struct message *m, const char *why)
{
	char name[32];

	return fail(-EPROTO, "%s of %lu pages at %#lx, flags %#x, for %#lx: %s",
		    message_name(m->command, name, sizeof(name)), m->nr_pages, m->vaddr, m->flags, m->dst, why);
}

static int answer(struct session *s, const void *data, size_t len)
{
	int err = connection_send(s->connection, data, len, false);

	return err ? lost(s, err, "an answer") : 0;
}

static int answer_number(struct session *s, int32_t number)
{
	const uint32_t bytes = htole32((uint32_t)number);

	return answer(s, &bytes, sizeof(bytes));
}

/* The image that a message is about. */
static int parse_target(const struct message *m, enum image_type *ret_type, uint64_t *ret_id)
{
	enum message_target target;
	int err = message_parse_dst(m->dst, &target, ret_id);

	if (err)
		return refuse(m, "unknown type of image, or the client is older than the 64-bit messages");
	*ret_type = target == MESSAGE_TASK ? IMAGE_PAGEMAP : IMAGE_SHMEM_PAGEMAP;
	if (target == MESSAGE_TASK && (!*ret_id || *ret_id > INT_MAX))
		return refuse(m, "invalid pid");
	return 0;
}

static int serve_open(struct session *s, const struct message *m)
{
	enum image_type type;
	enum images_parent has = IMAGES_LACK;
	uint64_t id;
	int err = parse_target(m, &type, &id);

	if (!err)
		err = images_open(s->images, type, id, true);
	if (err)
		return err;
	s->nr_images++;
	if (m->mark == MESSAGE_MARK_RUN)
		images_set_run(s->images, &(struct uuid){ m->nr_pages, m->vaddr });
	if (m->command == MESSAGE_OPEN)
		return 0;
	err = images_in_parent(s->images, type, id, &has);
	return err ? err : answer(s, &(uint8_t){ has == IMAGES_HAVE }, 1);
}

static int refuse_parent(enum image_type type, uint64_t id, const struct uuid *run)
{
	char name[IMAGE_NAME_MAX], wanted[UUID_SIZE];

	image_name(type, id, name);
	uuid_format(run, wanted);
	return fail(-EBADMSG,
		    "the parent directory: %s is not the one that the client's previous dump (%s) has sent: give "
		    "--prev-images-dir the directory of that one",
		    name, wanted);
}

/*
 * A client that leaves pages out must not get them from the images of another dump: nothing else is accepted when it has been told. Its
 * questions come together: if the connection were closed between them, it would not get the answer.
 */
static int serve_parent(struct session *s, const struct message *m)
{
	const struct uuid run = { m->nr_pages, m->vaddr };
	enum images_parent has = IMAGES_LACK;
	enum image_type type;
	uint64_t id;
	int err = parse_target(m, &type, &id);

	if (!err && m->mark == MESSAGE_MARK_SUMS) {
		s->summed = true;
		return answer_number(s, MESSAGE_SUMS_AGREED);
	}
	if (!err && m->mark == MESSAGE_MARK_RUN && !uuid_is_zero(&run))
		err = images_parent_of(s->images, type, id, &run, &has);
	else if (!err)
		err = images_in_parent(s->images, type, id, &has);
	if (err)
		return err;
	if (has == IMAGES_OTHER && !s->refused)
		s->refused = refuse_parent(type, id, &run);
	return answer_number(s, has == IMAGES_OTHER ? MESSAGE_OTHER_PARENT : has == IMAGES_HAVE);
}

static int receive_content(struct session *s, uint64_t len)
{
	int err = 0;

	while (len && !err) {
		ssize_t n = connection_recv_some(s->connection, s->buffer, MIN_OF(len, BUFFER_SIZE));

		if (n <= 0)
			return lost(s, n ? (int)n : -EPIPE, "content");
		err = images_write(s->images, s->buffer, (size_t)n);
		len -= (uint64_t)n;
	}
	return err;
}

/* The same with a checksum of each page; the entries of the page map follow the content. */
static int receive_summed(struct session *s, const struct message *m, uint32_t flags)
{
	uint64_t vaddr = m->vaddr, left = m->nr_pages;
	uint32_t sums[BUFFER_SIZE / PAGE_SZ];
	int err = 0;

	while (left && !err) {
		const uint64_t n = MIN_OF(left, BUFFER_SIZE / PAGE_SZ);

		err = connection_recv(s->connection, s->buffer, n * PAGE_SZ);
		if (err)
			return lost(s, err == -ENODATA ? -EPIPE : err, "content");
		crc32c_pages(s->buffer, n, sums);
		s->sum = message_sum(s->sum, sums, n);
		err = images_write(s->images, s->buffer, n * PAGE_SZ);
		if (!err)
			err = images_add_summed(s->images, vaddr, n, flags, sums);
		vaddr += n * PAGE_SZ;
		left -= n;
	}
	return err;
}

static bool good_flags(uint32_t flags)
{
	flags &= ~(uint32_t)MESSAGE_LAZY;
	return flags == MESSAGE_PRESENT || flags == MESSAGE_IN_PARENT;
}

static int serve_add(struct session *s, const struct message *m, uint32_t flags)
{
	enum image_type type;
	uint64_t id;
	int err = parse_target(m, &type, &id);

	if (err)
		return err;
	if (!good_flags(flags))
		return refuse(m, "invalid flags");
	if (!images_is_open(s->images, type, id)) {
		log_warn("pages of an image that the client has not opened");
		err = images_open(s->images, type, id, false);
	}
	if (!err && s->summed && flags & MESSAGE_PRESENT)
		return receive_summed(s, m, flags);
	if (!err)
		err = images_add_run(s->images, m->vaddr, m->nr_pages, flags);
	return !err && flags & MESSAGE_PRESENT ? receive_content(s, m->nr_pages * PAGE_SZ) : err;
}

/* A client that has gone does not take the answer: its dump has failed. */
static bool is_gone(const struct connection *c)
{
	char byte;

	return recv(c->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

/* The client takes what it was told: from here on everything is kept, whatever happens to the connection. */
static int wait_for_end(struct session *s)
{
	char byte;
	ssize_t n = connection_recv_some(s->connection, &byte, 1);

	if (n < 0)
		log_warn("the end of the connection: %s; the pages are complete", strerror((int)-n));
	return n > 0 ? fail(-EPROTO, "the client went on after CLOSE; the pages until then are complete") : 0;
}

static int check_counts(const struct session *s, const struct message *m)
{
	if (s->summed && m->dst != s->sum)
		return fail(-EBADMSG, "pages have changed on their way: their checksum is %08x instead of %08lx",
			    s->sum, m->dst);
	if (!s->ours || (m->nr_pages == s->images->nr_pages && m->vaddr == s->nr_images))
		return 0;
	return fail(-EPROTO, "the client has sent %lu pages in %lu images, but %lu in %lu were received", m->nr_pages,
		    m->vaddr, s->images->nr_pages, s->nr_images);
}

/* All pages are kept, whatever comes: the dump may already be complete when the connection is lost. */
static int wait_for_outcome(struct session *s)
{
	uint8_t bytes[MESSAGE_SIZE];
	struct message m = { 0 };
	int err;

	/* Of an action script, for instance. */
	s->connection->timeout_ms = -1;
	err = connection_recv(s->connection, bytes, sizeof(bytes));
	s->connection->timeout_ms = MESSAGE_TIMEOUT_MS;
	if (!err)
		message_decode(bytes, &m);
	s->outcome->complete = m.command == MESSAGE_COMPLETE;
	if (s->outcome->complete)
		return wait_for_end(s);
	s->outcome->unknown = err == -EINTR ?
				      "the server was stopped before the dump was complete" :
				      "the client has not told that its dump is complete: it has failed, or was killed";
	return 0;
}

/* 0: nothing more comes. A program like 4.2 sends CLOSE whether its dump succeeds or not. */
static int32_t answer_to_close(struct session *s, const struct message *m)
{
	if (!s->outcome->must_know)
		return 0;
	if (s->shared || m->command == MESSAGE_FORCE_CLOSE)
		s->outcome->unknown = "nothing more is read from a socket that others have open (--ps-socket)";
	else if (!s->ours || m->mark != MESSAGE_MARK_TELLS)
		s->outcome->unknown = "this client does not tell whether its dump succeeded";
	return s->outcome->unknown ? 0 : MESSAGE_SAVED_TELL_ME;
}

static int serve_close(struct session *s, const struct message *m)
{
	int err = check_counts(s, m), sent;
	int32_t status;

	if (!err)
		err = images_publish(s->images);
	if (!err && is_gone(s->connection))
		return lost(s, -ENODATA, "CLOSE");
	status = err ? err : answer_to_close(s, m);
	sent = answer_number(s, status);
	if (err || sent)
		return err ? err : sent;
	images_commit(s->images);
	s->saved = true;
	log_info("%lu pages in %lu images are saved%s", s->images->nr_pages, s->nr_images,
		 s->ours ? "" : "; only the client knows whether its dump succeeded");
	if (status == MESSAGE_SAVED_TELL_ME)
		return wait_for_outcome(s);
	return m->command == MESSAGE_FORCE_CLOSE || s->shared ? 0 : wait_for_end(s);
}

static int serve(struct session *s, const struct message *m)
{
	if (s->refused && m->command != MESSAGE_PARENT)
		return s->refused;
	switch (m->command) {
	case MESSAGE_OPEN:
	case MESSAGE_OPEN2:
		return serve_open(s, m);
	case MESSAGE_PARENT:
		return serve_parent(s, m);
	case MESSAGE_ADD:
		return serve_add(s, m, MESSAGE_PRESENT);
	case MESSAGE_HOLE:
		return serve_add(s, m, MESSAGE_IN_PARENT);
	case MESSAGE_ADD_F:
		return serve_add(s, m, m->flags);
	case MESSAGE_CLOSE:
	case MESSAGE_FORCE_CLOSE:
		return serve_close(s, m);
	case MESSAGE_ABANDON:
		return fail(-ECANCELED, "the dump has failed: nothing of it is kept");
	case MESSAGE_COMPLETE:
		return refuse(m, "there was no CLOSE before");
	case MESSAGE_GET:
		return refuse(m, "this page server only receives pages; a dump with --lazy-pages serves them");
	case MESSAGE_ADD_F_COMPRESSED:
		return refuse(m, "compressed pages are not supported; dump without --compress");
	}
	return refuse(m, "unknown command");
}

/* Between two messages the client may take its time: it is freezing, or examining, the tree. */
static int receive_message(struct session *s, struct message *ret)
{
	uint8_t bytes[MESSAGE_SIZE];
	int err;

	s->connection->timeout_ms = -1;
	err = connection_wait(s->connection);
	s->connection->timeout_ms = MESSAGE_TIMEOUT_MS;
	if (!err)
		err = connection_recv(s->connection, bytes, sizeof(bytes));
	if (err)
		return s->refused ?: lost(s, err, "a message");
	message_decode(bytes, ret);
	if (!s->begun)
		s->ours = message_is_ours(ret);
	s->begun = true;
	return 0;
}

static bool ends(const struct message *m)
{
	return m->command == MESSAGE_CLOSE || m->command == MESSAGE_FORCE_CLOSE || m->command == MESSAGE_ABANDON;
}

int page_session_serve(struct connection *connection, struct images *images, bool shared,
		       struct page_session_outcome *outcome)
{
	_cleanup_free_ char *buffer = malloc(BUFFER_SIZE);
	struct session s = {
		.connection = connection, .images = images, .shared = shared, .buffer = buffer, .outcome = outcome
	};
	struct message m = { 0 };
	int err = buffer ? 0 : fail(-ENOMEM, "buffer for pages");

	while (!err && !s.saved) {
		err = receive_message(&s, &m);
		if (!err)
			err = serve(&s, &m);
	}
	/* Others still have the socket: the client would wait for a server that has gone. */
	if (err && shared && !ends(&m))
		shutdown(connection->fd, SHUT_RDWR);
	return err;
}
