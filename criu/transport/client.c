// SPDX-License-Identifier: GPL-2.0-only
#include "transport/client.h"
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/bits.h"
#include "transport/endpoint.h"
#include "util/log.h"

/* For telling a peer that may not even listen that the session is over. */
#define ABANDON_TIMEOUT_MS 1000

struct page_client {
	struct connection connection;
	bool shared_socket; /* --ps-socket: others may have it open */
	bool inside; /* a message, or content, may have been sent partly */
	bool failed, finished;
	bool is_asked; /* the server waits for the end of the dump */
	uint64_t dst; /* of the image that was begun last */
	uint64_t nr_images, nr_pages; /* sent, for CLOSE */
	uint32_t sum; /* the same: over the checksums of all pages */
};

/* After this the session cannot go on. */
static int lose(struct page_client *client, int err, const char *what)
{
	client->failed = true;
	if (err == -EPIPE || err == -ECONNRESET || err == -ENODATA)
		return fail(-ECONNRESET, "the page server %s has closed the connection (%s); its log says why",
			    client->connection.peer, what);
	if (err == -ETIMEDOUT)
		return fail(err, "the page server %s does not answer (%s)", client->connection.peer, what);
	if (err == -EINTR)
		return err; /* the user's signal, which the dump reports */
	return fail(err, "the page server %s (%s)", client->connection.peer, what);
}

void page_client_set_stop(struct page_client *client, int stop_fd)
{
	client->connection.stop_fd = stop_fd;
}

/*
 * Nobody may take the session for a complete one. If another process has the socket open, its end has to be told: a command
 * that does not exist makes any server fail.
 */
static void abandon(struct page_client *client)
{
	const struct message m = { .command = MESSAGE_ABANDON, .mark = MESSAGE_MARK };
	uint8_t bytes[MESSAGE_SIZE];

	message_encode(&m, bytes);
	if (client->inside)
		shutdown(client->connection.fd, SHUT_RDWR);
	else if (client->shared_socket)
		connection_send(&client->connection, bytes, sizeof(bytes), false);
}

void page_client_free(struct page_client *client)
{
	if (!client)
		return;
	client->connection.stop_fd = -1;
	client->connection.timeout_ms = ABANDON_TIMEOUT_MS;
	if (!client->finished)
		abandon(client);
	connection_close(&client->connection);
	free(client);
}

int page_client_send(struct page_client *client, struct iovec *pieces, size_t n)
{
	int err;

	client->inside = true;
	err = connection_send_pieces(&client->connection, pieces, n);
	client->inside = err != 0;
	return err ? lose(client, err, "sending pages") : 0;
}

static int send_message(struct page_client *client, const struct message *m, bool more)
{
	uint8_t bytes[MESSAGE_SIZE];
	char name[32];
	int err;

	message_encode(m, bytes);
	client->inside = true;
	err = connection_send(&client->connection, bytes, sizeof(bytes), more);
	client->inside = err != 0;
	return err ? lose(client, err, message_name(m->command, name, sizeof(name))) : 0;
}

static int receive_number(struct page_client *client, const char *what, int32_t *ret)
{
	uint32_t number;
	int err = connection_recv(&client->connection, &number, sizeof(number));

	if (err)
		return lose(client, err, what);
	*ret = (int32_t)le32toh(number);
	return 0;
}

static int send_questions(struct page_client *client, const uint64_t *dsts, size_t n, const struct uuid *run)
{
	int err = 0;

	for (size_t i = 0; !err && i < n; i++) {
		const struct message m = {
			.command = MESSAGE_PARENT,
			.mark = MESSAGE_MARK_RUN,
			.nr_pages = run->high,
			.vaddr = run->low,
			.dst = dsts[i],
		};

		err = send_message(client, &m, i + 1 < n);
	}
	return err;
}

/* Sent together: the time of a round trip counts once. The server's answers fit into its buffers. */
#define QUESTIONS_AT_ONCE 256ul

int page_client_ask_parent(struct page_client *client, const uint64_t *dsts, size_t n, const struct uuid *run,
			   enum page_client_parent *ret)
{
	int err = 0;

	for (size_t i = 0; !err && i < n; i++) {
		int32_t answer = 0;

		if (i % QUESTIONS_AT_ONCE == 0)
			err = send_questions(client, dsts + i, MIN_OF(n - i, QUESTIONS_AT_ONCE), run);
		if (!err)
			err = receive_number(client, "PARENT", &answer);
		ret[i] = answer == 1 ? PARENT_HAS : answer == MESSAGE_OTHER_PARENT ? PARENT_IS_OTHER : PARENT_LACKS;
	}
	return err;
}

int page_client_open_image(struct page_client *client, uint64_t dst, const struct uuid *run)
{
	const struct message m = {
		.command = MESSAGE_OPEN,
		.mark = MESSAGE_MARK_RUN,
		.nr_pages = run->high,
		.vaddr = run->low,
		.dst = dst,
	};

	client->dst = dst;
	client->nr_images++;
	return send_message(client, &m, true);
}

void page_client_encode_run(struct page_client *client, uint16_t flags, uint64_t vaddr, uint64_t nr_pages,
			    uint8_t ret[MESSAGE_SIZE])
{
	const struct message m = {
		.command = MESSAGE_ADD_F,
		.flags = flags,
		.mark = MESSAGE_MARK,
		.nr_pages = nr_pages,
		.vaddr = vaddr,
		.dst = client->dst,
	};

	client->nr_pages += nr_pages;
	message_encode(&m, ret);
}

void page_client_add_sums(struct page_client *client, const uint32_t *sums, size_t n)
{
	client->sum = message_sum(client->sum, sums, n);
}

/* What was sent is told to a server that is ours, which compares it with what it has; 4.2 ignores it. */
int page_client_finish(struct page_client *client)
{
	const struct message m = {
		.command = client->shared_socket ? MESSAGE_FORCE_CLOSE : MESSAGE_CLOSE,
		/* A socket of others may be used for something else from now on. */
		.mark = client->shared_socket ? MESSAGE_MARK : MESSAGE_MARK_TELLS,
		.nr_pages = client->nr_pages,
		.vaddr = client->nr_images,
		.dst = client->sum,
	};
	int32_t status = 0;
	int err = send_message(client, &m, false);

	if (!err)
		err = receive_number(client, "CLOSE", &status);
	if (err)
		return err;
	client->finished = true;
	client->is_asked = status == MESSAGE_SAVED_TELL_ME && !client->shared_socket;
	if (status && !client->is_asked)
		return fail(-EREMOTEIO, "the page server %s could not save the pages: %s", client->connection.peer,
			    status < 0 && status > -4096 ? strerror(-status) : "its log says why");
	log_info("the page server has saved %lu pages", client->nr_pages);
	return 0;
}

void page_client_tell_complete(struct page_client *client)
{
	const struct message m = { .command = MESSAGE_COMPLETE, .mark = MESSAGE_MARK };
	uint8_t bytes[MESSAGE_SIZE];
	int err;

	if (!client->is_asked)
		return;
	message_encode(&m, bytes);
	client->connection.stop_fd = -1;
	client->connection.timeout_ms = ABANDON_TIMEOUT_MS;
	err = connection_send(&client->connection, bytes, sizeof(bytes), false);
	if (err)
		log_warn("tell the page server %s that the dump is complete: %s; it frees no older pages",
			 client->connection.peer, strerror(-err));
}

/* Before the tree is frozen: otherwise the images would not have what was asked for. */
static int ask_for_sums(struct page_client *client)
{
	const struct message m = { .command = MESSAGE_PARENT,
				   .mark = MESSAGE_MARK_SUMS,
				   .dst = message_dst(MESSAGE_TASK, 1) };
	int32_t answer = 0;
	int err = send_message(client, &m, false);

	if (!err)
		err = receive_number(client, "PARENT", &answer);
	if (err || answer == MESSAGE_SUMS_AGREED)
		return err;
	return fail(-EOPNOTSUPP, "--page-checksums: the page server %s is another program, which writes no checksums",
		    client->connection.peer);
}

int page_client_new(const struct options *opts, int stop_fd, struct page_client **ret)
{
	struct page_client *client = calloc(1, sizeof(*client));
	int err;

	if (!client)
		return fail(-ENOMEM, "page server");
	client->connection = CONNECTION_NONE;
	client->shared_socket = opts->ps_socket >= 0;
	err = endpoint_connect(opts, stop_fd, &client->connection);
	if (err) {
		free(client);
		return err;
	}
	log_info("connected to the page server %s", client->connection.peer);
	/* Whether the server accepts our certificate is known when it answers; better before the tree is frozen. */
	if (opts->tls)
		err = page_client_ask_parent(client, &(uint64_t){ message_dst(MESSAGE_TASK, 1) }, 1,
					     &(struct uuid){ 0 }, &(enum page_client_parent){ PARENT_LACKS });
	if (!err && opts->page_checksums)
		err = ask_for_sums(client);
	if (err)
		page_client_free(client);
	else
		*ret = client;
	return err;
}
