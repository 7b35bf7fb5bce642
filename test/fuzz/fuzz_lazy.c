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

	/* Nothing is read behind the word that the tree is complete. */
	while (size && !err && !d->committed) {
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

/* All descriptors that were received, of spaces or not, are in the journal. */
static void end(struct lazy_daemon *d)
{
	for (size_t i = 0; i < d->journal->nr_arrivals; i++) {
		int fd = journal_arrived_fd(&d->journal->arrivals[i]);

		if (fd >= 0 && close(fd) < 0)
			abort();
	}
	while (d->spaces) {
		struct lazy_space *space = d->spaces;

		d->spaces = space->next;
		space_free(space);
	}
	munmap(d->journal, sizeof(*d->journal) + d->journal->nr_arrivals * sizeof(d->journal->arrivals[0]));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct lazy_daemon d = { .sock = -1, .work_dir = -1, .epoll = -1 };
	int pair[2];

	log_to_fd(-1);
	if (!size)
		return 0;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) < 0 ||
	    setsockopt(pair[0], SOL_SOCKET, SO_PASSCRED, &(int){ 1 }, sizeof(int)) < 0)
		abort();
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
