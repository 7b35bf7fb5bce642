// SPDX-License-Identifier: GPL-2.0-only
/* What of a tree's mounts belongs to the tool's own mount namespace. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "kernel/proc_pid.h"
#include "kinds/kinds.h"
#include "kinds/ns/mnt/content.h"
#include "kinds/ns/mnt/external.h"
#include "kinds/ns/mnt/save.h"
#include "run/path.h"
#include "util/log.h"

struct mount_dump *mount_dump_data(struct dump *dump)
{
	void **data = dump_kind_data(dump, &mnt_ns_run);

	if (!*data)
		*data = dump_alloc(dump, sizeof(struct mount_dump));
	return *data;
}

void mount_forget_host(struct dump *dump)
{
	struct mount_dump *data = *dump_kind_data(dump, &mnt_ns_run);

	if (!data)
		return;
	mountinfo_free(&data->host);
	data->host_read = false;
}

static const struct mountinfo *host_mounts(struct dump *dump, int *ret_err)
{
	struct mount_dump *data = mount_dump_data(dump);
	_cleanup_proc_ struct proc self = PROC_CLOSED;
	int err = data ? 0 : -ENOMEM;

	if (!err && !data->host_read) {
		err = proc_open_self(&self);
		if (!err)
			err = mountinfo_read(&self, &data->host);
		data->host_read = !err;
	}
	if (err)
		*ret_err = fail(err, "read the mounts of the tool");
	return err ? NULL : &data->host;
}

int mount_check_bound(struct dump *dump)
{
	const struct mountinfo *host = NULL;
	const struct ns *ns;
	int err = 0;

	for (ns = dump->namespaces.first; ns && !host && !err; ns = ns->next)
		if (!ns->own)
			host = host_mounts(dump, &err);
	if (host)
		nsfs_survey_outside(dump, host);
	return err;
}

static bool same_device(const struct mount_info *a, const struct mount_info *b)
{
	return a->dev_major == b->dev_major && a->dev_minor == b->dev_minor;
}

/* What is mounted on the root directory of @mount; NULL: nothing. */
static const struct mount_info *mounted_on(const struct mountinfo *all, const struct mount_info *mount)
{
	const struct mount_info *at;

	array_for_each(at, all)
		if (at != mount && at->ns == mount->ns && at->parent_id == mount->mnt_id &&
		    !strcmp(at->mountpoint, mount->mountpoint))
			return at;
	return NULL;
}

/* Is @info a copy of @at, in the same place, and is what covers that one there, too? A restore removes it from a copy. */
static bool is_covered_alike(struct dump *dump, const struct mount_info *at, const struct mount_info *info,
			     const struct mount_info *uppermost)
{
	const struct mountinfo *host = &mount_dump_data(dump)->host;

	while (at && info && same_device(at, info) && !strcmp(at->mountpoint, info->mountpoint) &&
	       !strcmp(at->root, info->root)) {
		if (at == uppermost)
			return true;
		at = mounted_on(host, at);
		info = mounted_on(&dump->mounts, info);
	}
	return false;
}

/* Something may be mounted over it, or over a directory on the way. */
static bool leads_to(struct dump *dump, const char *path, const struct mount_info *at, const struct mount_info *info)
{
	_cleanup_close_ int fd = path_open(&PATH_OWN, PATH_ROOT_MOUNT, path, O_PATH | O_NOFOLLOW);
	const struct mount_info *found;
	struct statx sx;

	/* Without a mask the server of a FUSE file system is not asked, which denies it to others than its user. */
	if (fd < 0 || statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, 0, &sx) < 0)
		return false;
	found = mountinfo_find(&mount_dump_data(dump)->host, (int)sx.stx_mnt_id);
	return found && (found == at || is_covered_alike(dump, at, info, found));
}

static const char *path_through(struct dump *dump, const struct mount_info *at, const struct mount_info *info)
{
	const char *rest = mount_below(at->root, info->root);

	return dump_printf(dump, "%s%s%s", at->mountpoint, *rest && strcmp(at->mountpoint, "/") ? "/" : "", rest);
}

const char *mount_on_host(struct dump *dump, const struct mount_info *info, bool *ret_hidden, int *ret_err)
{
	const struct mountinfo *host = host_mounts(dump, ret_err);
	const struct mount_info *at, *best = NULL;
	const char *best_path = NULL;

	*ret_hidden = false;
	if (!host || str_has_suffix(info->root, MOUNT_REMOVED))
		return NULL;
	/* The one that it is a copy of, if there is one; else the narrowest. */
	array_for_each(at, host) {
		bool same_place = !strcmp(at->mountpoint, info->mountpoint);
		const char *path;

		if (!same_device(at, info) || !mount_below(at->root, info->root) ||
		    (best && strlen(at->root) <= strlen(best->root) && !same_place))
			continue;
		path = path_through(dump, at, info);
		if (!path) {
			*ret_err = fail(-ENOMEM, "mounts");
			return NULL;
		}
		if (!leads_to(dump, path, at, info)) {
			*ret_hidden = true;
			continue;
		}
		best = at;
		best_path = path;
		if (same_place && !strcmp(at->root, info->root))
			break;
	}
	*ret_hidden = *ret_hidden && !best;
	return best_path;
}

bool mount_is_host_root(struct dump *dump, const struct mount_info *root, int *ret_err)
{
	const struct mountinfo *host = host_mounts(dump, ret_err);
	const struct mount_info *at;

	if (!host)
		return false;
	array_for_each(at, host)
		if (!strcmp(at->mountpoint, "/") && same_device(at, root) && !strcmp(at->root, root->root))
			return true;
	return false;
}

bool mount_group_on_host(struct dump *dump, int group, int *ret_err)
{
	const struct mountinfo *host = host_mounts(dump, ret_err);
	const struct mount_info *at;

	if (!host)
		return false;
	array_for_each(at, host)
		if (at->shared_id == group)
			return true;
	return false;
}

int mount_note_groups(struct dump *dump, struct mount *mount)
{
	MntEntry *entry = mount->entry;
	bool found = entry->ext_key && !strcmp(entry->ext_key, MOUNT_AUTO_KEY);
	int err = 0;

	bool with_host = entry->shared_id && mount_group_on_host(dump, (int)entry->shared_id, &err);

	if (entry->shared_id && !with_host && found)
		entry->has_internal_sharing = entry->internal_sharing = true;
	if (with_host && !external_sharing(dump->opts))
		mount_blocker(
			dump,
			"mount %s is shared with mounts outside of the tree: make it private (mount --make-rprivate), or use --enable-external-sharing now and at restore",
			entry->mountpoint);
	mount->outer_peer = with_host && found;
	mount->outer_group =
		mount->outer_peer || (entry->master_id && !mounts_have_group(&dump->namespaces, entry->master_id));
	return err;
}

void mount_check_master(struct dump *dump, const struct mount *mount)
{
	if (!mount->outer_group || mount->outer_peer || mount_is_external(mount) || mount_follows_origin(mount))
		return;
	mount_blocker(
		dump,
		"mount %s receives mounts (slave) from a mount outside of the tree: make it private (mount --make-private), or external (--external 'mnt[%s]:KEY')",
		MOUNT_NAME(mount), MOUNT_NAME(mount));
}

/* In the tool's mount namespace; what cannot be opened now is for the restore to say. */
static bool can_be_copied(const char *path)
{
	_cleanup_close_ int at = path_open(&PATH_OWN, PATH_ROOT_MOUNT, path, O_PATH), copy = -1;

	if (at < 0)
		return true;
	copy = open_tree(at, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	return copy >= 0 || errno != EINVAL;
}

#define ARE_LOCKED \
	"where mounts of an outer user namespace are locked (mount_namespaces(7)), so that they could not be restored: run criu as root outside, or the program in a root directory of its own"

void mount_check_copies(struct dump *dump, const struct mounts *m, bool outside)
{
	struct mount *mount;

	if (outside) {
		if (!can_be_copied("/"))
			log_warn(
				"mounts of an outer user namespace are locked in the root directory of criu: as root of this one, these images can only be restored with --root");
		return;
	}
	if (!m->nested && !can_be_copied("/")) {
		mount_blocker(dump, "the process has mounts of its own in the root directory of criu, " ARE_LOCKED
				    "; with --external 'mnt[]', they are saved for a restore outside, or with --root");
		return;
	}
	mounts_for_each(mount, m) {
		const char *key = mount->entry->ext_key;

		if (!key || strcmp(key, MOUNT_AUTO_KEY) || can_be_copied(mount->entry->source))
			continue;
		dump_blocker(dump, dump_task_of(m->ns->member), -1,
			     "the process has mounts of its own: %s is a copy of %s of criu, " ARE_LOCKED,
			     mount->info->mountpoint, mount->entry->source);
		return;
	}
}
