// SPDX-License-Identifier: GPL-2.0-only
#include "kinds/fd/inet/tcp_repair.h"
#include <poll.h>
#include <sys/ioctl.h>
#include <time.h>
#include "base/bits.h"

#define CHUNK_MAX (64u << 10)
#define STATE_WAIT_MS 5000

int tcp_set_sequence(int fd, int queue, uint32_t seq)
{
	int err = tcp_repair_queue(fd, queue);

	if (!err && setsockopt(fd, SOL_TCP, TCP_QUEUE_SEQ, &seq, sizeof(seq)) < 0)
		err = -errno;
	return err;
}

int tcp_put_bytes(int fd, const char *from, uint32_t len)
{
	uint32_t chunk = CHUNK_MAX;

	while (len) {
		ssize_t done = send(fd, from, MIN_OF(len, chunk), MSG_DONTWAIT | MSG_NOSIGNAL);

		/*
		 * A receive queue takes each piece whole or not at all: a piece may be too large for the available
		 * memory.
		 */
		if (done < 0 && (errno == ENOMEM || errno == ENOBUFS) && chunk > 1024) {
			chunk /= 2;
			continue;
		}
		if (done <= 0)
			return done < 0 ? -errno : -EIO;
		from += done;
		len -= done;
	}
	return 0;
}

int tcp_await_state(int fd, uint32_t state)
{
	static const struct timespec ms = { .tv_nsec = 1000000 };

	for (int i = 0; i < STATE_WAIT_MS; i++) {
		struct tcp_info info;
		socklen_t len = sizeof(info);

		if (getsockopt(fd, SOL_TCP, TCP_INFO, &info, &len) < 0)
			return -errno;
		if (info.tcpi_state == state)
			return 0;
		/* No event reports that the kernel has processed a segment; usually it has before send(2) returns. */
		nanosleep(&ms, NULL); /* style: there is no event */
	}
	return -ETIMEDOUT;
}

bool tcp_has_urgent(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLPRI };
	int at_mark = 0;

	return (poll(&p, 1, 0) > 0 && (p.revents & POLLPRI)) || (!ioctl(fd, SIOCATMARK, &at_mark) && at_mark);
}
