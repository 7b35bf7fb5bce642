// SPDX-License-Identifier: GPL-2.0-only
/*
 * Namespaces that are bound to a file (ip netns, unshare --net=FILE): those that a process of the tree is in, and the tool's own.
 * Each mount is made by itself, when all namespaces exist. namespaces(7)
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "kernel/mountinfo.h"
#include "kinds/ns/mnt/content.h"
#include "kinds/ns/mnt/mount.h"
#include "run/dump.h"
#include "run/external.h"
#include "run/outside.h"
#include "run/restore.h"
#include "util/fds.h"
#include "util/log.h"
#include "util/proc_root.h"
#include "util/str.h"

/* "net:[4026531833]"; NS_TYPES: another text. */
static enum ns_type type_of_root(const char *root, uint64_t *ret_ino)
{
	for (enum ns_type type = 0; type < NS_TYPES; type++) {
		const char *name = ns_type_name(type);
		size_t len = strlen(name);

		if (strncmp(root, name, len) || strncmp(root + len, ":[", 2))
			continue;
		*ret_ino = strtoull(root + len + 2, NULL, 10);
		return type;
	}
	return NS_TYPES;
}

/* It has a first process, by which it is found. */
static bool is_nested(const struct ns *ns)
{
	return ns && ns->type == NS_PID && ns->depth && ns->init && ns->init->state != TASK_DEAD;
}

/* A mount namespace cannot be bound in one that is older, and time namespaces do not exist yet when mounts are made. */
static bool can_be_bound(const struct ns *ns, enum ns_type type, const struct ns *pid_of_root)
{
	return type != NS_MNT && type != NS_TIME &&
	       (type != NS_PID || !ns || ns->own || ns == pid_of_root || is_nested(ns));
}

/* ---- dump ---- */

static const struct ns *find_ns(struct dump *dump, enum ns_type type, uint64_t ino)
{
	const struct ns *ns;

	ns_for_each(ns, &dump->namespaces, type)
		if (ns->ino == ino)
			return ns;
	return NULL;
}

static bool is_tools_own(enum ns_type type, uint64_t ino)
{
	char name[32];
	struct stat st;

	snprintf(name, sizeof(name), "self/ns/%s", ns_type_name(type));
	return !fstatat(proc_root(), name, &st, 0) && st.st_ino == ino;
}

void nsfs_survey(struct dump *dump, struct mount *mount)
{
	const struct ns *pid_of_root = dump_task_of(dump->tree.root)->ns[NS_PID];
	const char *at = MOUNT_NAME(mount), *why = NULL;
	uint64_t ino = 0;
	enum ns_type type = type_of_root(mount->entry->root, &ino);
	const struct ns *ns = type == NS_TYPES ? NULL : find_ns(dump, type, ino);
	bool own = type != NS_TYPES && is_tools_own(type, ino);

	if (type == NS_TYPES || !(own || (ns && ns->member)))
		why = "that no process of the tree is in";
	else if (!can_be_bound(own ? NULL : ns, type, pid_of_root))
		why = "of a type that cannot be bound before the processes exist";
	if (why)
		mount_blocker(
			dump,
			"mount %s shows a namespace (%s) %s, which is not supported: unmount it, make it external (--external 'mnt[%s]:KEY' now, and --external 'mnt[KEY]:PATH' at restore), or leave it out (--skip-mnt %s)",
			at, mount->entry->root, why, at, at);
	mount->entry->has_ns_id = true;
	mount->entry->ns_id = own || !ns ? ns_own_id(type) : ns->id;
}

static void warn_of_outside(struct dump *dump, const struct mount_info *info)
{
	uint64_t ino = 0;
	enum ns_type type = type_of_root(info->root, &ino);
	const struct ns *ns = type == NS_TYPES ? NULL : find_ns(dump, type, ino);

	bool joins = type == NS_NET || type == NS_IPC || type == NS_UTS;

	if (!ns || ns->own || !ns->member || external_key(dump->opts, info->root))
		return;
	log_warn(
		"%s of process %d is also bound to %s, outside of the tree, which will go on to show it, while the restored tree is in a new one%s%s%s%s",
		info->root, ns->member->pid, info->mountpoint, joins ? ", unless it is restored with --join-ns " : "",
		joins ? ns_type_name(type) : "", joins ? ":" : "", joins ? info->mountpoint : "");
}

void nsfs_survey_outside(struct dump *dump, const struct mountinfo *outside)
{
	const struct mount_info *info;

	array_for_each(info, outside)
		if (!strcmp(info->fstype, "nsfs"))
			warn_of_outside(dump, info);
}

/* ---- restore ---- */

static struct ns *ns_of(struct restore *r, const struct mount *mount, enum ns_type type)
{
	struct ns *ns;

	ns_for_each(ns, &r->plan.namespaces, type)
		if (ns->id == mount->entry->ns_id)
			return ns;
	return NULL;
}

int nsfs_load(struct restore *r, const struct ns *mnt, struct mount *mount)
{
	uint64_t ino;
	enum ns_type type = type_of_root(mount->entry->root, &ino);
	const struct ns *ns = type == NS_TYPES ? NULL : ns_of(r, mount, type);
	bool own = type != NS_TYPES && mount->entry->ns_id == ns_own_id(type);

	mount->binds_nested = !own && is_nested(ns);
	if (mount->entry->has_ns_id && (own || ns) &&
	    can_be_bound(own ? NULL : ns, type, restore_task_of(r->plan.tree.root)->ns[NS_PID]))
		return 0;
	return fail(-EBADMSG, "mountpoints-%u.img: %s shows a namespace (%s) that is not there", mnt->id,
		    MOUNT_NAME(mount), mount->entry->root);
}

static int open_self(enum ns_type type)
{
	return open_fmt(proc_root(), O_RDONLY | O_CLOEXEC, "self/ns/%s", ns_type_name(type));
}

int nsfs_prepare(struct restore *r, struct mount *mount)
{
	uint64_t ino;
	enum ns_type type = type_of_root(mount->entry->root, &ino);
	int fd, high;

	if (mount->entry->ns_id != ns_own_id(type))
		return 0;
	fd = open_self(type);
	high = fd < 0 ? fd : move_fd_above(fd, r->service_base);
	if (high < 0)
		return fail(high, "mount %s: open a namespace", MOUNT_NAME(mount));
	mount->given = high;
	return 0;
}

int nsfs_open(struct restore *r, const struct mount *mount)
{
	uint64_t ino;
	enum ns_type type = type_of_root(mount->entry->root, &ino);
	const struct ns *ns = ns_of(r, mount, type);
	int from = mount->given >= 0 ? mount->given : ns ? ns->fd : -1, fd;
	/* The pid namespace of the first process, which we are. */
	_cleanup_close_ int self = from >= 0	       ? -1 :
				   mount->binds_nested ? outside_open_pid_ns(r, ns->init->pid, O_RDONLY) :
							 open_self(type);

	if (from < 0 && self < 0)
		return fail(self, "mount %s: open a namespace", MOUNT_NAME(mount));
	fd = open_tree(from < 0 ? self : from, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	return fd < 0 ? fail(-errno, "mount %s: bind a namespace", MOUNT_NAME(mount)) : fd;
}
