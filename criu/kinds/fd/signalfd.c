// SPDX-License-Identifier: GPL-2.0-only
/* signalfd(2): a signal mask. Queued signals belong to the tasks. */
#include <errno.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "kernel/fdinfo.h"
#include "kinds/fd/anon.h"
#include "kinds/fd/reopen.h"
#include "kinds/kinds.h"
#include "run/dump.h"
#include "util/fds.h"

static bool signalfd_claims(const struct fd_probe *probe)
{
	return fd_is_anon(probe, "signalfd");
}

static int signalfd_save(struct dump *dump, const struct fd_probe *probe, FileEntry *entry)
{
	SignalfdEntry *sgfd = dump_alloc(dump, sizeof(*sgfd));
	const struct fdinfo_item *item;
	struct fdinfo *info;
	int err = fd_probe_info(dump, (struct fd_probe *)probe, &info);

	if (err < 0)
		return err;
	if (!sgfd)
		return fail(-ENOMEM, "signalfd");
	item = fdinfo_find(info, FDINFO_SIGNALFD);
	if (!item)
		return fail(-EBADMSG, "fdinfo of a signalfd contains no mask");
	signalfd_entry__init(sgfd);
	err = dump_fown(dump, probe, &sgfd->fown);
	if (err < 0)
		return err;
	sgfd->id = entry->id;
	sgfd->flags = probe->flags;
	sgfd->sigmask = item->signal_mask;
	entry->sgfd = sgfd;
	return 0;
}

static int signalfd_load(struct restore *r, struct file *file, void *state)
{
	if (!file->entry->sgfd)
		return fail(-EBADMSG, "files.img: file %u: signalfd without a record", file->id);
	return 0;
}

static int signalfd_open(struct restore *r, struct file *file, const void *state)
{
	const SignalfdEntry *sgfd = file->entry->sgfd;
	uint64_t mask = sgfd->sigmask;
	/* The kernel's mask has 8 bytes, libc's sigset_t has 128 and excludes its own signals (32, 33). */
	_cleanup_close_ int fd = (int)syscall(SYS_signalfd4, -1, &mask, sizeof(mask), SFD_CLOEXEC);
	int err;

	if (fd < 0)
		return fail(-errno, "signalfd");
	err = set_status_flags(r, fd, sgfd->flags, sgfd->fown);
	return err < 0 ? err : steal_fd(&fd);
}

const struct fd_kind signalfd_kind = {
	.name = "signalfd",
	.image_type = FD_TYPES__SIGNALFD,
	.for_untrusted = true,
	.claims = signalfd_claims,
	.save = signalfd_save,
	.load = signalfd_load,
	.open = signalfd_open,
};
