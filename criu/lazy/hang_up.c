// SPDX-License-Identifier: GPL-2.0-only
#include "lazy/hang_up.h"
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <sys/socket.h>
#include <time.h>
#include "transport/connection.h"
#include "transport/message.h"

#define HANG_UP_MS 60000

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* The other side may still believe that it is connected. */
static bool is_link_lost(int err)
{
	return err == -ETIMEDOUT || err == -EHOSTUNREACH || err == -ENETUNREACH || err == -ENETDOWN;
}

bool lazy_hang_up(struct connection *c, int err)
{
	const int64_t until = now_ms() + HANG_UP_MS;
	uint8_t bytes[MESSAGE_SIZE];
	struct message m;
	int64_t left;

	shutdown(c->fd, SHUT_WR);
	c->stop_fd = -1;
	while ((left = until - now_ms()) > 0) {
		if (is_link_lost(err))
			return poll(NULL, 0, (int)left), false;
		c->timeout_ms = (int)left;
		err = connection_recv(c, bytes, sizeof(bytes));
		if (err && !is_link_lost(err))
			return false;
		if (err)
			continue;
		message_decode(bytes, &m);
		if (m.command == MESSAGE_CLOSE || m.command == MESSAGE_FORCE_CLOSE)
			return true;
	}
	return false;
}
