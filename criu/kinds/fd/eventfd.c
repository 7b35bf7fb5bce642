// SPDX-License-Identifier: GPL-2.0-only
/* eventfd(2): a counter. */
#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include "kernel/fdinfo.h"
#include "kinds/fd/anon.h"
#include "kinds/fd/reopen.h"
#include "kinds/kinds.h"
#include "kmem/eventfd_mode.h"
#include "run/describe.h"
#include "run/dump.h"
#include "util/fds.h"

static bool eventfd_claims(const struct fd_probe *probe)
{
	return fd_is_anon(probe, "eventfd");
}

/* kind_data of a dump, on kernels that do not show it; @err: why it cannot be used. */
struct mode {
	struct eventfd_reader *reader;
	int err;
};

static void close_reader(void *reader)
{
	eventfd_reader_close(reader);
}

static struct mode *mode_of(struct dump *dump)
{
	struct mode *mode = *dump_kind_data(dump, &eventfd_kind);

	if (mode)
		return mode;
	mode = *dump_kind_data(dump, &eventfd_kind) = dump_alloc(dump, sizeof(*mode));
	if (!mode)
		return NULL;
	mode->err = eventfd_reader_open(&mode->reader);
	if (!mode->err && arena_defer(&dump->arena, close_reader, mode->reader) < 0) {
		eventfd_reader_close(mode->reader);
		mode->err = -ENOMEM;
	}
	return mode;
}

static bool is_semaphore(struct dump *dump, const struct fd_probe *probe, int shown)
{
	const struct mode *mode;
	bool semaphore = false;

	if (shown >= 0)
		return shown;
	mode = mode_of(dump);
	if (!mode || mode->err || eventfd_is_semaphore(mode->reader, probe->local, &semaphore))
		log_warn(
			"%s: neither /proc nor BPF tells whether it is a semaphore (EFD_SEMAPHORE): it is restored as a counter; Linux 6.5 tells",
			probe->link);
	return semaphore;
}

static int eventfd_save(struct dump *dump, const struct fd_probe *probe, FileEntry *entry)
{
	EventfdFileEntry *efd = dump_alloc(dump, sizeof(*efd));
	const struct fdinfo_item *item;
	struct fdinfo *info;
	int err = fd_probe_info(dump, (struct fd_probe *)probe, &info);

	if (err < 0)
		return err;
	if (!efd)
		return fail(-ENOMEM, "eventfd");
	item = fdinfo_find(info, FDINFO_EVENTFD);
	if (!item)
		return fail(-EBADMSG, "fdinfo of an eventfd contains no counter");
	if (item->eventfd.count == UINT64_MAX) {
		dump_blocker(dump, probe->task, probe->fd, "eventfd: its counter has overflowed; read it, then dump");
		return 0;
	}
	eventfd_file_entry__init(efd);
	err = dump_fown(dump, probe, &efd->fown);
	if (err < 0)
		return err;
	efd->id = entry->id;
	efd->flags = probe->flags;
	efd->counter = item->eventfd.count;
	efd->has_semaphore = efd->semaphore = is_semaphore(dump, probe, item->eventfd.semaphore);
	entry->efd = efd;
	return 0;
}

static int eventfd_load(struct restore *r, struct file *file, void *state)
{
	const EventfdFileEntry *efd = file->entry->efd;

	if (!efd)
		return fail(-EBADMSG, "files.img: file %u: eventfd without a record", file->id);
	if (efd->counter == UINT64_MAX)
		return fail(-EBADMSG, "files.img: file %u: invalid eventfd counter %lu", file->id, efd->counter);
	return 0;
}

static int eventfd_open(struct restore *r, struct file *file, const void *state)
{
	const EventfdFileEntry *efd = file->entry->efd;
	_cleanup_close_ int fd = eventfd(0, EFD_CLOEXEC | (efd->semaphore ? EFD_SEMAPHORE : 0));
	int err;

	if (fd < 0)
		return fail(-errno, "eventfd");
	/* The initial value has only 32 bits, a write takes all 64. */
	if (efd->counter && write(fd, &efd->counter, sizeof(efd->counter)) != sizeof(efd->counter))
		return fail(-errno, "set the counter of an eventfd to %lu", efd->counter);
	err = set_status_flags(r, fd, efd->flags, efd->fown);
	return err < 0 ? err : steal_fd(&fd);
}

static void eventfd_describe(const FileEntry *entry, struct description *d)
{
	if (entry->efd)
		describe_add(d, "eventfd, %llu", (unsigned long long)entry->efd->counter);
}

const struct fd_kind eventfd_kind = {
	.name = "eventfd",
	.image_type = FD_TYPES__EVENTFD,
	.for_untrusted = true,
	.claims = eventfd_claims,
	.save = eventfd_save,
	.load = eventfd_load,
	.open = eventfd_open,
	.describe = eventfd_describe,
};
