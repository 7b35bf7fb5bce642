// SPDX-License-Identifier: GPL-2.0-only
/*
 * Open namespaces (/proc/PID/ns/...): one that a task of the tree is in is opened there again; one that is bound to a
 * path, by that path. Others cannot be found again.
 */
#include <errno.h>
#include <linux/magic.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include "base/bits.h"
#include "kernel/fdinfo.h"
#include "kernel/proc_pid.h"
#include "kinds/fd/reopen.h"
#include "kinds/kinds.h"
#include "ns.pb-c.h"
#include "run/describe.h"
#include "run/dump.h"
#include "run/outside.h"
#include "run/path.h"
#include "run/restore.h"
#include "util/fds.h"
#include "util/log.h"
#include "util/proc_root.h"
#include "util/str.h"

#define NS_FS_MAGIC 0x6e736673

/* ---- dump ------------------------------------------------------------------------------- */

static bool ns_claims(const struct fd_probe *probe)
{
	return probe->fs_magic == NS_FS_MAGIC && S_ISREG(probe->st.st_mode) && !(probe->flags & O_PATH) &&
	       ns_type_of_flag((unsigned)ioctl(probe->local, NS_GET_NSTYPE)) != NS_TYPES;
}

static struct dump_task *ns_member(struct dump *dump, const struct fd_probe *probe, enum ns_type type)
{
	const struct ns *ns;

	ns_for_each(ns, &dump->namespaces, type)
		if (ns->ino == probe->st.st_ino && ns->member)
			return dump_task_of(ns->member);
	return NULL;
}

/* Bound to a path (ip netns, unshare --net=FILE), which is sufficient. */
static const char *ns_path(struct dump *dump, const struct fd_probe *probe)
{
	for (size_t i = 0; i < dump->mounts.n; i++) {
		const struct mount_info *mount = &dump->mounts.v[i];
		struct stat st;

		if (str_eq(mount->fstype, "nsfs") &&
		    !path_stat(&dump->roots, mount->mnt_id, mount->mountpoint, true, &st) &&
		    st.st_ino == probe->st.st_ino && st.st_dev == probe->st.st_dev)
			return mount->mountpoint;
	}
	return NULL;
}

static int ns_save_path(struct dump *dump, const struct fd_probe *probe, const char *path, FileEntry *entry)
{
	struct fd_probe named = *probe;

	named.link = path;
	entry->type = FD_TYPES__REG;
	return regular_kind.save(dump, &named, entry);
}

static int ns_save(struct dump *dump, const struct fd_probe *probe, FileEntry *entry)
{
	const enum ns_type type = ns_type_of_flag((unsigned)ioctl(probe->local, NS_GET_NSTYPE));
	const struct dump_task *member = type != NS_TYPES ? ns_member(dump, probe, type) : NULL;
	const char *path = probe->link[0] == '/' || !member ? ns_path(dump, probe) : NULL;
	NsFileEntry *nsf = dump_alloc(dump, sizeof(*nsf));

	if (type == NS_TYPES)
		return fail(-EIO, "%s: query its type", probe->link);
	if (path)
		return ns_save_path(dump, probe, path, entry);
	if (!nsf)
		return fail(-ENOMEM, "namespace");
	if (!member) {
		dump_blocker(
			dump, probe->task, probe->fd,
			"%s: a namespace that no process of the tree is in, and that is not bound to a path: close it, or bind it to a "
			"path (mount --bind /proc/%d/fd/%d FILE)",
			probe->link, probe->task->t.host_pid, probe->fd);
		return 0;
	}
	ns_file_entry__init(nsf);
	nsf->id = entry->id;
	nsf->ns_id = member->ns[type]->id;
	nsf->ns_cflag = ns_type_flag(type);
	nsf->flags = probe->flags;
	nsf->has_pid = true;
	nsf->pid = member->t.pid;
	entry->nsf = nsf;
	return 0;
}

/* ---- restore ---------------------------------------------------------------------------- */

struct ns_state {
	enum ns_type type;
	const struct ns *ns;
};

static int ns_load(struct restore *r, struct file *file, void *state)
{
	const NsFileEntry *nsf = file->entry->nsf;
	struct ns_state *ns = state;

	if (!nsf)
		return fail(-EBADMSG, "files.img: file %u: namespace without a record", file->id);
	ns->type = ns_type_of_flag(nsf->ns_cflag);
	if (ns->type == NS_TYPES)
		return fail(-EBADMSG, "files.img: file %u: namespace of unknown type (0x%x)", file->id, nsf->ns_cflag);
	return 0;
}

static int ns_link(struct restore *r, struct file *file, void *state)
{
	const NsFileEntry *nsf = file->entry->nsf;
	struct ns_state *ns = state;
	const struct ns *of;

	if (nsf->has_pid) {
		const struct restore_task *task = restore_find_task(r, nsf->pid);

		ns->ns = task ? task->ns[ns->type] : NULL;
	} else {
		ns_for_each(of, &r->plan.namespaces, ns->type)
			if (of->id == nsf->ns_id)
				ns->ns = of;
	}
	if (!ns->ns)
		return fail(-EBADMSG, "files.img: file %u: a %s namespace (%u) that no task of the images is in",
			    file->id, ns_type_name(ns->type), nsf->ns_id);
	return 0;
}

/* As /proc shows it to the tool. */
static int open_of_process(struct restore *r, pid_t pid, const char *type, int flags)
{
	_cleanup_close_ int pidfd = restore_open_process(r, pid, 0);
	_cleanup_proc_ struct proc self = PROC_CLOSED;
	_cleanup_fdinfo_ struct fdinfo info = { 0 };
	const struct fdinfo_item *item;
	int err = pidfd < 0 ? pidfd : proc_open_self(&self);

	if (!err)
		err = fdinfo_read(&self, pidfd, &info);
	if (err)
		return err;
	item = fdinfo_find(&info, FDINFO_PIDFD);
	return item ? open_fmt(proc_root(), flags, "%d/ns/%s", item->pidfd.pid, type) : -EIO;
}

/* By the first process of it, or the root. */
static int open_pid_ns(struct restore *r, const struct ns *ns, int flags)
{
	const struct task *member = ns->init ?: r->plan.tree.root;
	int err = open_of_process(r, member->pid, "pid", flags);

	/* It has entered its user namespace already. */
	return err == -EACCES && ns->depth ? outside_open_pid_ns(r, member->pid, (unsigned)flags) : err;
}

/* This process is in it, or all have a descriptor of it: restore/namespaces.c */
static int ns_open(struct restore *r, struct file *file, const void *state)
{
	const struct ns_state *ns = state;
	const char *type = ns_type_name(ns->type);
	int flags = (int)(file->entry->nsf->flags & ~(unsigned)FLAGS_OF_CREATION), fd;

	if (r->process.task->ns[ns->type] == ns->ns)
		fd = open_fmt(proc_root(), flags, "self/ns/%s", type);
	else if (ns->type == NS_PID)
		fd = open_pid_ns(r, ns->ns, flags);
	else if (ns->ns->fd >= 0)
		fd = open_fmt(proc_root(), flags, "self/fd/%d", ns->ns->fd);
	/* A task has created it for its children: kinds/ns/time_children.c */
	else
		fd = ns->type == NS_TIME ? open_of_process(r, file->entry->nsf->pid, type, flags) : -ENOENT;
	return fd < 0 ? fail(fd, "open the %s namespace %u", type, ns->ns->id) : fd;
}

static void ns_describe(const FileEntry *entry, struct description *d)
{
	enum ns_type type = entry->nsf ? ns_type_of_flag(entry->nsf->ns_cflag) : NS_TYPES;

	if (type < NS_TYPES)
		describe_add(d, "namespace of type %s", ns_type_name(type));
}

const struct fd_kind ns_kind = {
	.name = "namespace",
	.image_type = FD_TYPES__NS,
	.state_size = sizeof(struct ns_state),
	.claims = ns_claims,
	.save = ns_save,
	.load = ns_load,
	.link = ns_link,
	.open = ns_open,
	.describe = ns_describe,
};
