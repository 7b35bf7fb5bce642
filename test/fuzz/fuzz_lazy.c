// SPDX-License-Identifier: GPL-2.0-only
/*
 * The socket of the lazy pages daemon: numbers of processes, with and without descriptors. The first byte of the input is the number
 * of processes in the images; then each message: its length and whether it has a descriptor, and its bytes.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
#include "lazy/arrivals.h"
#include "util/fds.h"
#include "util/log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct lazy_daemon *d)
{
	if (d->arrived > d->journal->nr_arrivals || (d->committed && d->arrived != d->journal->nr_arrivals))
		abort();
	for (const struct lazy_space *s = d->spaces; s; s = s->next)
		if (s->uffd >= 0 && fcntl(s->uffd, F_GETFD) < 0)
			abort();
}

static void send_all(struct lazy_daemon *d, int sock, const uint8_t *data, size_t size)
{
	int err = 0;

	while (size && !err) {
		size_t len = data[0] & 15;
		bool has_fd = data[0] & 16;

		len = len < size - 1 ? len : size - 1;
		if (has_fd && len)
			send_fds(sock, &sock, 1, data + 1, len);
		else if (len && send(sock, data + 1, len, MSG_NOSIGNAL) < 0)
			break;
		err = arrivals_take(d);
		check(d);
		data += 1 + len;
		size -= 1 + len;
	}
}

static void end(struct lazy_daemon *d)
{
	while (d->spaces) {
		struct lazy_space *space = d->spaces;

		d->spaces = space->next;
		if (space->uffd >= 0)
			close(space->uffd);
		space_free(space);
	}
	munmap(d->journal, sizeof(*d->journal) + d->journal->nr_arrivals * sizeof(d->journal->arrivals[0]));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct lazy_daemon d = { .sock = -1, .work_dir = -1, .epoll = -1 };
	int pair[2];

	log_to_fd(-1);
	if (!size || socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0)
		return 0;
	d.sock = pair[0];
	d.journal = journal_new(data[0] % 5);
	for (int pid = 1; pid <= data[0] % 5; pid++) {
		struct lazy_space *space = space_new(pid);

		if (!space || space_begin(space))
			abort();
		space->next = d.spaces;
		d.spaces = space;
	}
	send_all(&d, pair[1], data + 1, size - 1);
	close(pair[0]);
	close(pair[1]);
	end(&d);
	return 0;
}
