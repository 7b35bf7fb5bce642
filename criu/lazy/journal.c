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

int journal_arrived_fd(const struct lazy_arrival *arrival)
{
	struct cmsghdr head;
	int fd;

	memcpy(&head, arrival->control, sizeof(head));
	if (head.cmsg_len != CMSG_LEN(sizeof(int)) || head.cmsg_level != SOL_SOCKET || head.cmsg_type != SCM_RIGHTS)
		return -1;
	memcpy(&fd, arrival->control + CMSG_LEN(0), sizeof(fd));
	return fd;
}

size_t journal_room(const struct lazy_journal *journal)
{
	uint64_t head = atomic_load(&journal->head), used = head - atomic_load(&journal->tail);

	/* Also for the JOURNAL_CLOSED of each process, which may follow. */
	if (used + JOURNAL_BATCH >= JOURNAL_SLOTS)
		return 0;
	return MIN_OF((size_t)JOURNAL_BATCH, (size_t)(JOURNAL_SLOTS - head % JOURNAL_SLOTS));
}
