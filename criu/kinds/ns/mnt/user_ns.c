// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include "base/cleanup.h"
#include "kinds/ns/mnt/content.h"
#include "run/dump.h"
#include "util/fds.h"
#include "util/log.h"
#include "util/proc_root.h"

#define NS_GET_USERNS_ _IO(0xb7, 0x1)

int mount_ns_owner_of(int mnt, int *ret_fd)
{
	_cleanup_close_ int fd = ioctl(mnt, NS_GET_USERNS_);
	struct stat owner, own;

	*ret_fd = -1;
	if (fd < 0 || fstat(fd, &owner) < 0 || fstatat(proc_root(), "self/ns/user", &own, 0) < 0)
		return -errno;
	if (owner.st_ino != own.st_ino)
		*ret_fd = steal_fd(&fd);
	return 0;
}

int mount_ns_owner(const struct dump *dump, const struct ns *ns, int *ret_fd)
{
	const struct dump_task *member = dump_task_of(ns->member);
	const struct ns *user;
	bool any = false;

	*ret_fd = -1;
	ns_for_each(user, &dump->namespaces, NS_USER)
		any |= !user->own;
	if (!any)
		return 0;
	_cleanup_close_ int mnt = open_fmt(member->proc.dir, O_RDONLY | O_CLOEXEC, "ns/mnt");
	int err = mnt < 0 ? mnt : mount_ns_owner_of(mnt, ret_fd);

	return err ? fail(err, "find the user namespace of the mount namespace of process %d", member->t.host_pid) : 0;
}
