// SPDX-License-Identifier: GPL-2.0-only
#include "kmem/aio.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "kmem/reader.h"
#include "util/fds.h"
#include "util/str.h"

#define CONTEXTS_MAX 65536
#define TRIES 100
#define CONTEXT_SIZE_MAX 4096

#define FIELDS(X, O)                                           \
	X(mm_table, "mm_struct", "ioctx_table", NULL)          \
	X(table_nr, "kioctx_table", "nr", NULL)                \
	X(table_table, "kioctx_table", "table", NULL)          \
	X(user_id, "kioctx", "user_id", NULL)                  \
	X(cpu, "kioctx", "cpu", NULL)                          \
	X(max_reqs, "kioctx", "max_reqs", NULL)                \
	X(nr_events, "kioctx", "nr_events", NULL)              \
	X(mmap_size, "kioctx", "mmap_size", NULL)              \
	X(available, "kioctx", "reqs_available", NULL)         \
	X(active, "kioctx", "active_reqs", NULL)               \
	X(tail, "kioctx", "tail", NULL)                        \
	X(completed, "kioctx", "completed_events", NULL)       \
	X(cpu_available, "kioctx_cpu", "reqs_available", NULL) \
	X(size, "kioctx", NULL, NULL)

KERNEL_READER(aio_reader, FIELDS, struct buf cpus; /* a byte for each possible CPU */)

/* "0-3,8" */
static int learn_cpus(struct aio_reader *reader)
{
	_cleanup_buf_ struct buf text = { 0 };
	int err = read_file(AT_FDCWD, "/sys/devices/system/cpu/possible", &text);
	const char *s = text.data;

	while (!err && *s >= '0' && *s <= '9') {
		char *end;
		unsigned long first = strtoul(s, &end, 10), last = *end == '-' ? strtoul(end + 1, &end, 10) : first;

		if (last < first || last > 65535)
			return -EBADMSG;
		for (unsigned long cpu = reader->cpus.len; !err && cpu <= last; cpu++) {
			char possible = cpu >= first;

			err = buf_add(&reader->cpus, &possible, 1);
		}
		s = *end == ',' ? end + 1 : end;
	}
	return err ? err : reader->cpus.len ? 0 : -EBADMSG;
}

static int prepare(struct aio_reader *reader)
{
	return reader->at.size > CONTEXT_SIZE_MAX ? -EOPNOTSUPP : learn_cpus(reader);
}

static void forget_cpus(struct aio_reader *reader)
{
	buf_free(&reader->cpus);
}

KERNEL_READER_FUNCTIONS(aio_reader, aio_reader_open, aio_reader_close, prepare, forget_cpus)

/* Counts the free slots for requests: those in the global counter, and those that CPUs have reserved from there. */
static int count_free(struct aio_reader *reader, const char *context, uint64_t *ret_free)
{
	uint64_t pointer = kernel_number(context, reader->at.cpu, 8),
		 free = kernel_number(context, reader->at.available, 4), at, n;
	int err = 0;

	for (unsigned cpu = 0; !err && cpu < reader->cpus.len; cpu++) {
		if (!reader->cpus.data[cpu])
			continue;
		err = kernel_memory_of_cpu(&reader->mem, pointer, cpu, &at);
		if (!err)
			err = kernel_memory_field(&reader->mem, at, reader->at.cpu_available, 4, &n);
		if (!err)
			free += n;
	}
	if (!err)
		*ret_free = free;
	return err;
}

static int read_once(struct aio_reader *reader, uint64_t ctx, struct aio_context *ret)
{
	char bytes[CONTEXT_SIZE_MAX];
	uint64_t nr, completed, free;
	int err = kernel_memory_read(&reader->mem, ctx, bytes, (size_t)reader->at.size);

	if (!err)
		err = count_free(reader, bytes, &free);
	if (err)
		return err;
	nr = kernel_number(bytes, reader->at.nr_events, 4);
	completed = kernel_number(bytes, reader->at.completed, 4);
	/* A completed event occupies the slot of its request until the kernel notices that it was read. */
	if (!nr || free + completed > nr - 1)
		return -EAGAIN;
	*ret = (struct aio_context){ .at = kernel_number(bytes, reader->at.user_id, 8),
				     .len = kernel_number(bytes, reader->at.mmap_size, 8),
				     .requests = (uint32_t)kernel_number(bytes, reader->at.max_reqs, 4),
				     .nr = (uint32_t)nr,
				     .tail = (uint32_t)kernel_number(bytes, reader->at.tail, 4),
				     .in_flight = (uint32_t)(nr - 1 - free - completed),
				     /* An empty list points to itself. */
				     .for_ever =
					     kernel_number(bytes, reader->at.active, 8) != ctx + reader->at.active };
	return 0;
}

/* Repeated until two results are equal, as the counters are not read atomically. */
static int read_context(struct aio_reader *reader, uint64_t ctx, struct aio_context *ret)
{
	struct aio_context a, b;

	for (int i = 0; i < TRIES; i++) {
		int err = read_once(reader, ctx, &a), again = read_once(reader, ctx, &b);

		if ((err && err != -EAGAIN) || (again && again != -EAGAIN))
			return err ? err : again;
		if (err || again || a.in_flight != b.in_flight || a.tail != b.tail || a.for_ever != b.for_ever)
			continue;
		*ret = b;
		return 0;
	}
	return -EAGAIN;
}

static int read_table(struct aio_reader *reader, uint64_t table, struct aio_contexts *ret)
{
	uint64_t nr, ctx;
	int err = kernel_memory_field(&reader->mem, table, reader->at.table_nr, 4, &nr);

	if (!err && nr > CONTEXTS_MAX)
		return -EAGAIN;
	for (uint64_t i = 0; !err && i < nr; i++) {
		struct aio_context *c;

		err = kernel_memory_field(&reader->mem, table, reader->at.table_table + 8 * (long)i, 8, &ctx);
		if (err || !ctx)
			continue;
		c = array_push(ret);
		err = c ? read_context(reader, ctx, c) : -ENOMEM;
	}
	return err;
}

int aio_contexts_read(struct aio_reader *reader, int mem, struct aio_contexts *ret)
{
	struct aio_contexts all = { 0 };
	uint64_t at;
	/* An open /proc/PID/mem refers to the address space itself. */
	int err = kernel_memory_private(&reader->mem, mem, &at);

	if (!err)
		err = at ? kernel_memory_field(&reader->mem, at, reader->at.mm_table, 8, &at) : -EBADF;
	if (!err && at)
		err = read_table(reader, at, &all);
	if (err) {
		array_free(&all);
		return err;
	}
	*ret = all;
	return 0;
}
