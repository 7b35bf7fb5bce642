// SPDX-License-Identifier: GPL-2.0-only
#include "kmem/signals.h"
#include <errno.h>
#include <string.h>
#include "kmem/reader.h"

#define QUEUE_MAX (1u << 20)
#define NODE_MAX 256
#define INFO_SIZE 48 /* used part of a siginfo_t: the kernel stores no more */

#define FIELDS(X, O)                                            \
	X(own, "task_struct", "pending.list", NULL)             \
	X(signal, "task_struct", "signal", NULL)                \
	X(shared, "signal_struct", "shared_pending.list", NULL) \
	X(list, "sigqueue", "list", NULL)                       \
	X(info, "sigqueue", "info", NULL)                       \
	X(size, "sigqueue", NULL, NULL)                         \
	X(info_size, "kernel_siginfo", NULL, NULL)

KERNEL_READER(signals_reader, FIELDS)

/* struct list_head */
struct links {
	uint64_t next, prev;
};

static int check_sizes(const struct signals_reader *reader)
{
	return reader->at.size > NODE_MAX || reader->at.info_size != INFO_SIZE ? -EOPNOTSUPP : 0;
}

KERNEL_READER_FUNCTIONS(signals_reader, signals_reader_open, signals_reader_close, check_sizes, KERNEL_READER_KEEPS)

static int find_queue(const struct signals_reader *reader, int dir, bool shared, uint64_t *ret_head)
{
	uint64_t at = 0;
	int err = kernel_memory_task_of(&reader->mem, dir, &at);

	if (!err && shared)
		err = kernel_memory_field(&reader->mem, at, reader->at.signal, 8, &at);
	if (!err)
		*ret_head = at + (uint64_t)(shared ? reader->at.shared : reader->at.own);
	return err;
}

static int read_node(const struct signals_reader *reader, uint64_t list, struct links *ret_links,
		     struct pending_signals *to)
{
	char node[NODE_MAX];
	siginfo_t *si;
	int err = kernel_memory_read(&reader->mem, list - (uint64_t)reader->at.list, node, (size_t)reader->at.size);

	if (err)
		return err;
	memcpy(ret_links, node + reader->at.list, sizeof(*ret_links));
	si = array_push(to);
	if (!si)
		return -ENOMEM;
	memcpy(si, node + reader->at.info, INFO_SIZE);
	return 0;
}

int signals_read(struct signals_reader *reader, int dir, bool shared, struct pending_signals *to)
{
	uint64_t head = 0, at, before;
	struct links links, ends = { 0 };
	int err = find_queue(reader, dir, shared, &head);

	if (!err)
		err = kernel_memory_read(&reader->mem, head, &ends, sizeof(ends));
	/*
	 * A process that we did not stop may gain or lose signals meanwhile: the links of every node must be
	 * consistent.
	 */
	for (at = ends.next, before = head; !err && at != head; before = at, at = links.next) {
		err = to->n < QUEUE_MAX ? read_node(reader, at, &links, to) : -EAGAIN;
		if (!err && links.prev != before)
			err = -EAGAIN;
	}
	if (!err)
		err = kernel_memory_read(&reader->mem, head, &ends, sizeof(ends));
	return err ? err : ends.prev == before ? 0 : -EAGAIN;
}
