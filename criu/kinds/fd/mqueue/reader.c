// SPDX-License-Identifier: GPL-2.0-only
/* One reader of kernel memory for all POSIX message queues of a dump. */
#include <errno.h>
#include <string.h>
#include "internal.h"
#include "kmem/mqueue.h"
#include "run/dump.h"
#include "util/log.h"

static void close_reader(void *arg)
{
	struct mqueue_dump *data = arg;

	mqueue_reader_close(data->reader);
}

int mqueue_dump_reader(struct dump *dump, struct mqueue_dump **ret)
{
	void **slot = dump_kind_data(dump, &mqueue_kind);
	struct mqueue_dump *data = *slot;

	if (!data) {
		data = dump_alloc(dump, sizeof(*data));
		if (!data || arena_defer(&dump->arena, close_reader, data))
			return fail(-ENOMEM, "message queues");
		data->unreadable = mqueue_reader_open(&data->reader);
		*slot = data;
		if (data->unreadable)
			log_info("messages of POSIX queues cannot be read from kernel memory (BPF): %s",
				 strerror(-data->unreadable));
	}
	*ret = data;
	return data->unreadable ? 1 : 0;
}
