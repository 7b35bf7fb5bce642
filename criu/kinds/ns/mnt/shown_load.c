// SPDX-License-Identifier: GPL-2.0-only
/* Restore: file systems that show another network or IPC namespace than that of the root of the tree. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "kinds/ns/mnt/fs_type.h"
#include "kinds/ns/mnt/restore.h"
#include "util/fds.h"
#include "util/log.h"
#include "util/proc_root.h"

int mount_load_shown(struct restore *r, struct mount *mount)
{
	const MntEntry *e = mount->entry;
	const struct fs_type *type = mount->fs->type;
	const struct ns *shown = mount->fs->shown;
	const struct ns *ns;

	if (!e->has_shown_ns)
		return 0;
	for (ns = r->plan.namespaces.first; ns; ns = ns->next)
		if (ns->id == e->shown_ns && type->shows & BIT(ns->type) & (BIT(NS_NET) | BIT(NS_IPC)))
			break;
	if (!ns || (shown && shown != ns))
		return fail(-EBADMSG, "mountpoints-%u.img: mount %s cannot show the namespace %u", mount->of->ns->id,
			    e->mountpoint, e->shown_ns);
	mount->fs->shown = ns;
	return 0;
}

bool mount_waits(const struct mount *mount)
{
	return mount->fs->type && (mount->fs->type->of_pid_ns || mount->fs->shown);
}

int mount_create_shown(const struct mount *mount, const char *options)
{
	const struct ns *shown = mount->fs->shown;
	const char *name = ns_type_name(shown->type);
	_cleanup_close_ int own = open_fmt(proc_root(), O_RDONLY | O_CLOEXEC, "thread-self/ns/%s", name);
	int fd;

	if (own < 0)
		return fail(own, "open thread-self/ns/%s in /proc", name);
	if (setns(shown->fd, (int)ns_type_flag(shown->type)) < 0)
		return fail(-errno, "mount %s: enter the %s namespace %u", MOUNT_NAME(mount), name, shown->id);
	fd = mount_create_fs(mount, options);
	if (setns(own, (int)ns_type_flag(shown->type)) < 0) {
		int err = -errno;

		if (fd >= 0)
			close(fd);
		return fail(err, "return to the %s namespace", name);
	}
	return fd;
}
