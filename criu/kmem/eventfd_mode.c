// SPDX-License-Identifier: GPL-2.0-only
#include "kmem/eventfd_mode.h"
#include <sys/eventfd.h>
#include "kmem/reader.h"

#define FIELDS(X, O) X(flags, "eventfd_ctx", "flags", NULL)

KERNEL_READER(eventfd_reader, FIELDS)

KERNEL_READER_FUNCTIONS(eventfd_reader, eventfd_reader_open, eventfd_reader_close, KERNEL_READER_ANY,
			KERNEL_READER_KEEPS)

int eventfd_is_semaphore(const struct eventfd_reader *reader, int fd, bool *ret)
{
	uint64_t context, flags;
	int err = kernel_memory_private(&reader->mem, fd, &context);

	if (!err)
		err = kernel_memory_field(&reader->mem, context, reader->at.flags, 4, &flags);
	if (!err)
		*ret = flags & EFD_SEMAPHORE;
	return err;
}
