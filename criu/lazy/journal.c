// SPDX-License-Identifier: GPL-2.0-only
#include "lazy/journal.h"
#include <string.h>
#include <sys/mman.h>
#include "base/bits.h"

struct lazy_journal *journal_new(size_t nr_arrivals)
{
	size_t len = sizeof(struct lazy_journal) + nr_arrivals * sizeof(struct lazy_arrival);
	struct lazy_journal *journal =
		mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (journal == MAP_FAILED)
		return NULL;
	journal->nr_arrivals = nr_arrivals;
	return journal;
}

/* What the kernel has stored; the rest is 0. */
static const char *find_control(const struct lazy_arrival *arrival, int type, size_t len)
{
	struct cmsghdr head;

	for (size_t at = 0; at + sizeof(head) <= sizeof(arrival->control); at += CMSG_ALIGN(head.cmsg_len)) {
		memcpy(&head, arrival->control + at, sizeof(head));
		if (head.cmsg_len < sizeof(head) || head.cmsg_len > sizeof(arrival->control) - at)
			return NULL;
		if (head.cmsg_level == SOL_SOCKET && head.cmsg_type == type && head.cmsg_len == CMSG_LEN(len))
			return arrival->control + at + CMSG_LEN(0);
	}
	return NULL;
}

int journal_arrived_fd(const struct lazy_arrival *arrival)
{
	const char *at = find_control(arrival, SCM_RIGHTS, sizeof(int));
	int fd = -1;

	if (at)
		memcpy(&fd, at, sizeof(fd));
	return fd;
}

pid_t journal_arrived_pid(const struct lazy_arrival *arrival)
{
	const char *at = find_control(arrival, SCM_CREDENTIALS, sizeof(struct ucred));
	struct ucred peer = { 0 };

	if (at)
		memcpy(&peer, at, sizeof(peer));
	return peer.pid;
}

size_t journal_room(const struct lazy_journal *journal)
{
	uint64_t head = atomic_load(&journal->head), used = head - atomic_load(&journal->tail);

	/* Also for the JOURNAL_CLOSED of each process, which may follow. */
	if (used + JOURNAL_BATCH >= JOURNAL_SLOTS)
		return 0;
	return MIN_OF((size_t)JOURNAL_BATCH, (size_t)(JOURNAL_SLOTS - head % JOURNAL_SLOTS));
}
