// SPDX-License-Identifier: GPL-2.0-only
/* Mounts of the tree, and the roots of its mount namespaces, through which paths are looked up: run/path.h. */
#include <errno.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "dump/dump.h"
#include "kernel/ns_run.h"
#include "run/dump.h"
#include "util/fds.h"
#include "util/log.h"

struct reading {
	struct dump *dump;
	struct ns *ns;
};

/* Runs in the namespace: its root may be hidden from its processes by chroot(2), and mountinfo shows what is below the reader's. */
static int read_inside(void *arg)
{
	const struct reading *reading = arg;
	_cleanup_proc_ struct proc self = PROC_CLOSED;
	int err = proc_open_self(&self);

	if (!err)
		err = mountinfo_read_more(&self, reading->ns->id, &reading->dump->mounts);
	if (err)
		return fail(err, "read mountinfo");
	reading->ns->root = open_at(AT_FDCWD, "/", O_PATH | O_DIRECTORY, 0);
	return reading->ns->root < 0 ? fail(reading->ns->root, "open the root directory of a mount namespace") : 0;
}

static int note_roots(struct dump *dump, const struct ns *ns)
{
	const struct mount_info *mount;
	int err = 0;

	array_for_each(mount, &dump->mounts)
		if (!err && mount->ns == ns->id)
			err = hash_put(&dump->roots_by_mount, (uint64_t)mount->mnt_id,
				       (uint64_t)(ns->own ? AT_FDCWD : ns->root));
	return err ? fail(err, "mounts") : 0;
}

/* Is a daemon asked for what is not mounted yet? It may be frozen. */
static void find_automounters(struct dump *dump, const struct ns *ns)
{
	const struct mount_info *mount;

	if (ns->member == dump->tree.root)
		dump->roots.ns = ns->id;
	array_for_each(mount, &dump->mounts)
		if (mount->ns == ns->id && mount_is_automounted(mount))
			dump->roots.may_wait = &dump->mounts;
}

int dump_read_mounts(struct dump *dump, struct ns *ns)
{
	const struct dump_task *member = dump_task_of(ns->member);
	struct reading reading = { dump, ns };
	_cleanup_close_ int fd = -1;
	int result = 0, err;

	if (ns->own) {
		err = mountinfo_read_more(&member->proc, ns->id, &dump->mounts);
		if (!err)
			find_automounters(dump, ns);
		if (!err && dump->roots.by_mount)
			err = note_roots(dump, ns);
		return err < 0 && !dump_is_check(dump) ? fail(err, "read mountinfo") : err;
	}
	fd = open_fmt(member->proc.dir, O_RDONLY | O_CLOEXEC, "ns/mnt");
	err = fd < 0 ? fd : ns_run_in(&fd, 1, read_inside, &reading, &result);
	if (dump_is_check(dump) && (err == -ESRCH || err == -ENOENT))
		return err;
	if (err || result)
		return err ? fail(err, "enter the mount namespace of process %d%s", member->t.host_pid,
				  err == -EPERM ?
					  " (it takes CAP_SYS_ADMIN in the user namespace that owns it, and CAP_SYS_CHROOT: run criu as root)" :
					  "") :
			     result;
	find_automounters(dump, ns);
	if (&member->t == dump->tree.root)
		dump->roots.root = ns->root;
	dump->roots.by_mount = &dump->roots_by_mount;
	ns_for_each(ns, &dump->namespaces, NS_MNT)
		if (!err && ns->member)
			err = note_roots(dump, ns);
	return err;
}

void dump_close_roots(struct dump *dump)
{
	struct ns *ns;

	ns_for_each(ns, &dump->namespaces, NS_MNT)
		if (ns->root >= 0)
			close(ns->root);
	hash_free(&dump->roots_by_mount);
}
