// SPDX-License-Identifier: GPL-2.0-only
/* Restore: file systems that show another network, IPC or pid namespace than that of the root of the tree. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "kernel/ns_run.h"
#include "kinds/ns/mnt/fs_type.h"
#include "kinds/ns/mnt/restore.h"
#include "util/fds.h"
#include "util/log.h"
#include "util/proc_root.h"

/* It is a nested one that a restore creates. */
static bool has_first_process(const struct ns *ns)
{
	return ns->depth && ns->init && ns->init->state != TASK_DEAD;
}

int mount_load_shown(struct restore *r, struct mount *mount)
{
	const MntEntry *e = mount->entry;
	const struct fs_type *type = mount->fs->type;
	const struct ns *shown = mount->fs->shown;
	const struct ns *ns;

	if (!e->has_shown_ns)
		return 0;
	for (ns = r->plan.namespaces.first; ns; ns = ns->next)
		if (ns->id == e->shown_ns && type->shows & BIT(ns->type) & (BIT(NS_NET) | BIT(NS_IPC) | BIT(NS_PID)))
			break;
	if (!ns || (shown && shown != ns) || (ns->type == NS_PID && !has_first_process(ns)))
		return fail(-EBADMSG, "mountpoints-%u.img: mount %s cannot show the namespace %u", mount->of->ns->id,
			    e->mountpoint, e->shown_ns);
	mount->fs->shown = ns;
	return 0;
}

bool mount_waits(const struct mount *mount)
{
	return mount->binds_nested ||
	       (mount->fs->type && (mount->fs->type->of_pid_ns || mount->fs->type->of_first || mount->fs->shown));
}

bool mount_shows_nested(const struct mount *mount)
{
	return mount->binds_nested || mount->shows_process || (mount->fs->shown && mount->fs->shown->type == NS_PID);
}

/* ---- proc: by a process in the pid namespace, which has a number there for a moment ---- */

struct creation {
	const struct mount *mount;
	const char *options;
	int pidfd; /* of the first process */
	int fd;
};

static int create_here(void *arg)
{
	struct creation *c = arg;

	c->fd = mount_create_fs(c->mount, c->options);
	return c->fd < 0 ? c->fd : 0;
}

static int enter_and_create(void *arg)
{
	struct creation *c = arg;
	int result = 0, err;

	if (setns(c->pidfd, CLONE_NEWPID) < 0)
		return fail(-errno, "mount %s: enter the pid namespace %u", MOUNT_NAME(c->mount),
			    c->mount->fs->shown->id);
	err = ns_run_in(NULL, 0, create_here, c, &result);
	return err ? fail(err, "mount %s: create a process in the pid namespace %u", MOUNT_NAME(c->mount),
			  c->mount->fs->shown->id) :
		     result;
}

static int create_in_pid_ns(struct restore *r, const struct mount *mount, const char *options)
{
	const struct task *init = mount->fs->shown->init;
	_cleanup_close_ int pidfd = restore_open_process(r, init->pid, 0);
	struct creation creation = { mount, options, pidfd, -1 };
	int result = 0, err;

	if (pidfd < 0)
		return fail(pidfd, "mount %s: pidfd of process %d", MOUNT_NAME(mount), init->pid);
	err = ns_run_in(NULL, 0, enter_and_create, &creation, &result);
	if (err)
		return fail(err, "mount %s: create a process", MOUNT_NAME(mount));
	return result ? result : creation.fd;
}

/* ---- the others ---- */

static int create_in_ns(const struct mount *mount, const char *options)
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

int mount_create_shown(struct restore *r, const struct mount *mount, const char *options)
{
	return mount_shows_nested(mount) ? create_in_pid_ns(r, mount, options) : create_in_ns(mount, options);
}
