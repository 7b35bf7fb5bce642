// SPDX-License-Identifier: GPL-2.0-only
/*
 * Peer groups that mount namespaces have in common which neither the tree nor the tool is in. Such namespaces are found by
 * the processes in them. A restored group is a new one: they are not in it.
 */
#include <errno.h>
#include <sys/stat.h>
#include "base/cleanup.h"
#include "kernel/mountinfo.h"
#include "kernel/proc_pid.h"
#include "kinds/ns/mnt/external.h"
#include "kinds/ns/mnt/save.h"
#include "util/hash.h"
#include "util/log.h"
#include "util/proc_root.h"
#include "util/str.h"

struct outer_groups {
	struct dump *dump;
	struct hash groups; /* of the tree alone, as far as is known: group -> one of its mounts */
	struct hash seen; /* mount namespaces */
};

static int collect_groups(struct outer_groups *o, size_t *ret_nr)
{
	struct mount *mount;
	int err = 0;

	*ret_nr = 0;
	mounts_for_each_of_all(mount, &o->dump->namespaces)
	{
		int group = (int)mount->entry->shared_id;

		if (err || !group || mount_group_on_host(o->dump, group, &err))
			continue;
		err = err ?: hash_put(&o->groups, (uint64_t)group, (uint64_t)(uintptr_t)mount);
		++*ret_nr;
	}
	return err;
}

/* Those of the tree, and the tool's: they are known already. */
static int collect_known(struct outer_groups *o)
{
	const struct ns *ns;
	struct stat st;
	int err = fstatat(proc_root(), "self/ns/mnt", &st, 0) < 0 ? -errno : hash_put(&o->seen, st.st_ino, 1);

	ns_for_each(ns, &o->dump->namespaces, NS_MNT)
		if (!err)
			err = hash_put(&o->seen, ns->ino, 1);
	return err;
}

static void report(struct outer_groups *o, pid_t pid, const struct mount_info *info, uint64_t found)
{
	const struct mount *mount = (const struct mount *)(uintptr_t)found;
	bool is_peer = info->shared_id == (int)mount->entry->shared_id;

	if (is_peer && !external_sharing(o->dump->opts))
		mount_blocker(
			o->dump,
			"mount %s is shared with mount %s of process %d, in another mount namespace that is not part of the tree: make one of them private (mount --make-private), or use --enable-external-sharing to separate them",
			MOUNT_NAME(mount), info->mountpoint, pid);
	else
		log_warn(
			"mount %s of process %d, in a mount namespace that is not part of the tree, will not be %s of mount %s any more if the tree is restored",
			info->mountpoint, pid, is_peer ? "a peer" : "a slave", MOUNT_NAME(mount));
}

/* One report for each namespace and group. */
static void compare(struct outer_groups *o, pid_t pid, const struct mountinfo *all)
{
	_cleanup_hash_ struct hash reported = { 0 };
	const struct mount_info *info;
	uint64_t mount, x;

	array_for_each(info, all) {
		uint64_t group = (uint64_t)info->shared_id;

		if (!hash_get(&o->groups, group, &mount)) {
			group = (uint64_t)info->master_id;
			if (!hash_get(&o->groups, group, &mount))
				continue;
		}
		if (hash_get(&reported, group, &x) || hash_put(&reported, group, 1))
			continue;
		report(o, pid, info, mount);
	}
}

/* A process that exits meanwhile has nothing any more. */
static int look_at(struct outer_groups *o, pid_t pid)
{
	_cleanup_mountinfo_ struct mountinfo all = { 0 };
	_cleanup_proc_ struct proc proc = PROC_CLOSED;
	char name[32];
	struct stat st;
	uint64_t x;

	snprintf(name, sizeof(name), "%d/ns/mnt", pid);
	if (fstatat(proc_root(), name, &st, 0) < 0 || hash_get(&o->seen, st.st_ino, &x))
		return 0;
	if (hash_put(&o->seen, st.st_ino, 1))
		return -ENOMEM;
	if (!proc_open(pid, &proc) && !mountinfo_read(&proc, &all))
		compare(o, pid, &all);
	return 0;
}

int mounts_check_outer_groups(struct dump *dump)
{
	struct outer_groups o = { .dump = dump };
	_cleanup_proc_ struct proc self = PROC_CLOSED;
	struct pid_array pids = { 0 };
	size_t nr;
	int err = collect_groups(&o, &nr);

	if (!err && nr) {
		err = collect_known(&o);
		if (!err)
			err = proc_open_self(&self);
		if (!err)
			err = proc_pids(&self, &pids);
		for (size_t i = 0; !err && i < pids.n; i++)
			err = look_at(&o, pids.v[i]);
	}
	array_free(&pids);
	hash_free(&o.groups);
	hash_free(&o.seen);
	return err ? fail(err, "look for mounts that are shared with other processes") : 0;
}
