// SPDX-License-Identifier: GPL-2.0-only
/* Reads the mounts of all mount namespaces of the tree, and reports what cannot be saved. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "kernel/mountinfo.h"
#include "kernel/proc_pid.h"
#include "kinds/ns/mnt/external.h"
#include "kinds/ns/mnt/fs_type.h"
#include "kinds/ns/mnt/of_process.h"
#include "kinds/ns/mnt/save.h"
#include "util/log.h"
#include "util/str.h"

static bool is_listed(const struct str_list *list, const char *word)
{
	for (size_t i = 0; i < list->n; i++)
		if (str_eq(list->v[i], word))
			return true;
	return false;
}

/* In the reverse of the kernel's order, as CRIU. */
static int list_mounts(struct dump *dump, struct ns *ns, struct mounts *m)
{
	int err = 0;

	m->ns = ns;
	m->nested = ns != dump_task_of(dump->tree.root)->ns[NS_MNT];
	m->v = dump_alloc(dump, (dump->mounts.n + 1) * sizeof(*m->v));
	if (!m->v)
		return fail(-ENOMEM, "mounts");
	for (size_t i = dump->mounts.n; !err && i > 0; i--) {
		const struct mount_info *info = &dump->mounts.v[i - 1];

		if (info->ns != ns->id || is_listed(&dump->opts->skip_mnt, info->mountpoint))
			continue;
		m->v[m->n].info = info;
		m->v[m->n].of = m;
		m->v[m->n].fd = m->v[m->n].idmap = m->v[m->n].given = -1;
		err = mount_fill_entry(dump, &m->v[m->n]);
		m->n++;
	}
	return err;
}

/* ---- what comes from outside ---- */

static int add_origin(struct dump *dump, struct mount *mount)
{
	const char *root = mount_is_of_device(mount) ? "/" : mount->entry->root;

	if (mount_origin_for(mount))
		return 0;
	return mount_origin_add(mount->fs, &dump->arena, root, mount) ? 0 : fail(-ENOMEM, "mounts");
}

static void set_external(struct mount *mount, const char *key, const char *source, uint32_t fstype)
{
	mount->entry->ext_key = (char *)key;
	mount->entry->fstype = fstype;
	if (source)
		mount->entry->source = (char *)source;
}

static void refuse_hidden(struct dump *dump, const struct mount_info *info)
{
	mount_blocker(
		dump,
		"mount %s shows a file system of the host that is hidden there by another mount: make it external (--external 'mnt[%s]:KEY' now, and --external 'mnt[KEY]:PATH' at restore), or leave it out (--skip-mnt %s)",
		info->mountpoint, info->mountpoint, info->mountpoint);
}

/* CRIU knows only whole file systems as external devices: a part is a copy of that, if there is one. */
static bool has_whole(const struct mounts *m, const MntEntry *part)
{
	for (size_t i = 0; i < m->n; i++)
		if (m->v[i].entry->root_dev == part->root_dev && !strcmp(m->v[i].entry->root, "/"))
			return true;
	return false;
}

static const char *device_key(struct dump *dump, const struct mount *mount)
{
	const char *key = external_device_key(dump->opts, mount->info->dev_major, mount->info->dev_minor);

	return key && strcmp(mount->entry->root, "/") && has_whole(mount->of, mount->entry) ? NULL : key;
}

/* By the options, or because the tree lives in the tool's own root directory, with the same file systems in it. */
static int find_external(struct dump *dump, struct mount *mount, bool match_host)
{
	const struct mount_info *info = mount->info;
	/* What a nested namespace shows is mostly a copy of a mount that has the key. */
	bool copy = mount->of->nested && mount_origin_of(mount->fs, mount->entry->root);
	const char *key = copy ? NULL : external_mount_key(dump->opts, info->mountpoint), *path;
	const struct fs_type *type = fs_type_by_name(info->fstype);
	bool hidden = false;
	int err = 0;

	if (key) {
		set_external(mount, key, NULL, FSTYPE__UNSUPPORTED);
		return 0;
	}
	key = copy ? NULL : device_key(dump, mount);
	if (key) {
		set_external(mount, MOUNT_DEV_KEY, dump_printf(dump, "dev[%s]", key), FSTYPE__AUTO);
		mount->entry->fsname = mount->info->fstype;
		return 0;
	}
	path = match_host ? mount_on_host(dump, info, &hidden, &err) : NULL;
	/* What the kernel has only one of is mounted anew, unless it is a copy of the host's mount. */
	if (path && (!type || !type->single || !strcmp(path, info->mountpoint)))
		set_external(mount, MOUNT_AUTO_KEY, path, FSTYPE__UNSUPPORTED);
	if (!err && hidden && (!type || !type->single))
		refuse_hidden(dump, info);
	return err;
}

/* Does the tree live in the root directory of the tool? */
static bool is_in_host_root(struct dump *dump, int *ret_err)
{
	const struct ns *first = dump_task_of(dump->tree.root)->ns[NS_MNT];
	const struct mounts *m = first->data;

	return first->own || (m && mount_is_host_root(dump, m->root->info, ret_err));
}

static int find_outside(struct dump *dump, struct mounts *m)
{
	struct mount_run *run = &mount_dump_data(dump)->run;
	bool by_options = external_mounts_found(dump->opts), match = by_options;
	struct mount *mount;
	int err = 0;

	if (!match)
		match = is_in_host_root(dump, &err);
	mounts_for_each(mount, m) {
		mount->fs = err ? NULL : mount_fs_get(run, &dump->arena, mount->entry->root_dev);
		if (!err && !mount->fs)
			err = fail(-ENOMEM, "mounts");
		if (!err && (mount != m->root || m->nested))
			err = find_external(dump, mount, match);
		if (!err && mount_is_external(mount))
			err = add_origin(dump, mount);
		if (err)
			return err;
	}
	if (!dump->rights.initial_user_ns && is_in_host_root(dump, &err) && !err)
		mount_check_copies(dump, m, by_options);
	if (!m->nested)
		m->root->entry->fstype = FSTYPE__UNSUPPORTED;
	return err;
}

/* ---- what a restore creates ---- */

static void refuse_type(struct dump *dump, const struct mount *mount)
{
	const char *at = mount->info->mountpoint, *type = mount->info->fstype;

	mount_blocker(
		dump,
		"mount %s is of type %s, which is not supported: make it external (--external 'mnt[%s]:KEY' now, and --external 'mnt[KEY]:PATH' at restore), leave it out (--skip-mnt %s), or let the restore mount it again from its source (%s) with --enable-fs %s now and at restore",
		at, type, at, at, mount->info->source, type);
}

static void find_type(struct dump *dump, struct mount *mount)
{
	const char *type = mount->info->fstype;

	mount->fs->type = fs_type_by_name(type);
	if (!mount->fs->type && (is_listed(&dump->opts->enable_fs, type) || is_listed(&dump->opts->enable_fs, "all")))
		mount->fs->type = &fs_type_enabled;
}

static void refuse_shown(struct dump *dump, const struct mount *mount, enum ns_type type)
{
	const struct dump_task *member = dump_task_of(mount->of->ns->member);
	const char *at = mount->info->mountpoint;

	mount_blocker(
		dump,
		"mount %s (%s) of process %d may show another %s namespace than those of the tree: that is not supported; unmount it, or leave it out (--skip-mnt %s)",
		at, mount->info->fstype, member->t.host_pid, ns_type_name(type), at);
}

/* Those of cgroups are created in the namespace of the root. A nested mount namespace may show something else. */
static void check_creator(struct dump *dump, const struct mount *mount, enum ns_type type)
{
	const struct dump_task *root = dump_task_of(dump->tree.root), *member = dump_task_of(mount->of->ns->member);

	if (mount->of->nested && member->ns[type] != root->ns[type] &&
	    (!mount->fs->whole || mount->fs->whole->of->nested))
		refuse_shown(dump, mount, type);
}

static int check_shown(struct dump *dump, struct mount *mount)
{
	const unsigned shows = mount->fs->type->shows;
	int found;

	if (shows & BIT(NS_PID)) {
		found = mount_find_shown_pid_ns(dump, mount);
		if (found < 0)
			return found;
		if (!found)
			refuse_shown(dump, mount, NS_PID);
	}
	if (shows & BIT(NS_CGROUP))
		check_creator(dump, mount, NS_CGROUP);
	for (enum ns_type type = 0; type < NS_TYPES; type++) {
		if (!(shows & (BIT(NS_NET) | BIT(NS_IPC)) & BIT(type)))
			continue;
		found = mount_find_shown(dump, mount, type);
		if (found < 0)
			return found;
		/* Before there were others to tell it from, it was taken for the root's. */
		if (!found && mount->of->nested)
			refuse_shown(dump, mount, type);
	}
	return 0;
}

/* One that is not external, and not of a file system of which a part is. */
static int check_created(struct dump *dump, struct mount *mount)
{
	const char *at = mount->info->mountpoint, *path;
	struct mount_fs *fs = mount->fs;
	bool hidden = false;
	int err = 0;

	if (!fs->type)
		find_type(dump, mount);
	if (!fs->type) {
		refuse_type(dump, mount);
		return 0;
	}
	if (fs->type->refused) {
		mount_blocker(
			dump,
			"mount %s is of type %s, %s, which is not supported: make it external (--external 'mnt[%s]:KEY' now, and --external 'mnt[KEY]:PATH' at restore), or leave it out (--skip-mnt %s)",
			at, fs->type->name, fs->type->refused, at, at);
		return 0;
	}
	if (fs->type->number == FSTYPE__AUTO) {
		mount->entry->fstype = FSTYPE__AUTO;
		mount->entry->fsname = mount->info->fstype;
	}
	if (!strcmp(mount->entry->root, "/") && !fs->whole)
		fs->whole = mount;
	if (fs->type->survey_each) {
		fs->type->survey_each(dump, mount);
		return 0;
	}
	err = check_shown(dump, mount);
	if (err)
		return err;
	if (fs->type->save && hash_put(&dump->saved_fs, fs->dev, 1))
		return fail(-ENOMEM, "mounts");
	if (fs->type->of_pid_ns)
		mount_check_process_shown(dump, mount);
	path = fs->type->single ? NULL : mount_on_host(dump, mount->info, &hidden, &err);
	if (!err && hidden)
		refuse_hidden(dump, mount->info);
	if (path)
		mount_blocker(
			dump,
			"mount %s shows a file system of the host (%s): make it external (--external 'mnt[%s]:KEY' now, and --external 'mnt[KEY]:%s' at restore)",
			at, path, at, path);
	return err;
}

static int check_whole(struct dump *dump, const struct mount *mount)
{
	const char *at = mount->info->mountpoint;

	if (!mount->fs->type || mount->fs->type->single || mount->fs->whole)
		return 0;
	mount_blocker(
		dump,
		"mount %s shows only %s of its file system, which is mounted nowhere as a whole: make it external (--external 'mnt[%s]:KEY' now, and --external 'mnt[KEY]:PATH' at restore)",
		at, mount->info->root, at);
	return 0;
}

static int check_outer(struct dump *dump, const struct mount *mount)
{
	const char *at = mount->info->mountpoint;

	if (mount_origin_of(mount->fs, mount->entry->root))
		return 0;
	mount_blocker(
		dump,
		"mount %s shows %s of a file system (%s) that comes from outside, and that part of it is not among what does: make it external (--external 'mnt[%s]:KEY' now, and --external 'mnt[KEY]:PATH' at restore)",
		at, mount->info->root, mount->info->fstype, at);
	return 0;
}

static bool is_on(const struct mount *mount, const struct mount *on)
{
	while (mount && mount != on)
		mount = mount->parent;
	return mount != NULL;
}

/*
 * A lookup below an automounter's mount that covers this one would ask its daemon, which is frozen. What is covered is looked up in a copy
 * of the namespace, from which one cover after the other is removed (whole.c): so any of them.
 */
static bool refuse_covered(struct dump *dump, const struct mount *mount)
{
	const char *at = mount->info->mountpoint, *rest;
	struct mount *by;

	if (!dump->roots.may_wait || mountinfo_at(&dump->mounts, mount->info->ns, at, &rest) == mount->info)
		return false;
	mounts_for_each(by, mount->of) {
		rest = mount_is_automounted(by->info) ? mount_below(by->info->mountpoint, at) : NULL;
		if (!rest || !*rest || is_on(mount, by))
			continue;
		mount_blocker(
			dump,
			"mount %s is covered by the autofs mount at %s, whose daemon would be asked for it: that is not supported; unmount one of them",
			at, by->info->mountpoint);
		return true;
	}
	return false;
}

static int check_content(struct dump *dump, struct mounts *m)
{
	struct mount *mount;
	int err = 0;

	mounts_for_each(mount, m) {
		if (!err && !mount_is_external(mount) && refuse_covered(dump, mount))
			continue;
		if (!err)
			mount_check_process_point(dump, mount);
		if (err || mount_is_external(mount))
			continue;
		mount_check_entry(dump, mount);
		if (!mount->fs->origins) {
			err = check_created(dump, mount);
			continue;
		}
		mount->entry->fstype = FSTYPE__UNSUPPORTED;
		err = check_outer(dump, mount);
	}
	return err;
}

static int survey_one(struct dump *dump, struct ns *ns)
{
	struct mounts *m = dump_alloc(dump, sizeof(*m));
	struct mount *bad = NULL;
	int err = m ? list_mounts(dump, ns, m) : fail(-ENOMEM, "mounts");

	if (err)
		return err;
	ns->data = m;
	err = mounts_link(m, &bad);
	if (!m->root && (!err || err == -EBADMSG)) {
		mount_blocker(dump, "the root of a mount namespace cannot be left out (--skip-mnt /)");
		return 0;
	}
	if (err == -EBADMSG && bad) {
		mount_blocker(dump, "mount %s lies on one that is left out (--skip-mnt): leave it out, too",
			      bad->info->mountpoint);
		return 0;
	}
	if (err)
		return fail(err, "the mounts of process %d", ns->member->pid);
	return find_outside(dump, m);
}

/* The tool's own cannot be told from that of the root in the images. */
static void check_own(struct dump *dump)
{
	const struct ns *first = dump_task_of(dump->tree.root)->ns[NS_MNT];
	struct dump_task *task;

	dump_for_each_task(task, dump)
		if (task->t.state != TASK_DEAD && task->ns[NS_MNT] != first && task->ns[NS_MNT]->own)
			dump_blocker(
				dump, task, -1,
				"lives in the mount namespace of the tool, but the root of the tree does not: that is not supported");
}

static int check_mounts(struct dump *dump)
{
	int err = mounts_set_apart(&mount_dump_data(dump)->run, &dump->arena, &dump->namespaces);
	struct mount *mount;
	struct ns *ns;

	ns_for_each(ns, &dump->namespaces, NS_MNT)
		if (!err && ns->data)
			err = check_content(dump, ns->data);
	mounts_for_each_of_all(mount, &dump->namespaces) if (!err && !mount->fs->origins) err =
		check_whole(dump, mount);
	mounts_for_each_of_all(mount, &dump->namespaces) if (!err) err = mount_note_groups(dump, mount);
	mounts_for_each_of_all(mount, &dump->namespaces) if (!err) mount_check_master(dump, mount);
	return err;
}

/* The mount that a descriptor is on, if it can be told: 0 otherwise. */
static uint64_t mount_id(int fd)
{
	struct statx sx;

	return statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &sx) < 0 || !(sx.stx_mask & STATX_MNT_ID) ? 0 : sx.stx_mnt_id;
}

/* The mounts that are saved are those below the uppermost mount on the root of the namespace. Does the task live there? */
static void check_root(struct dump *dump, const struct dump_task *task)
{
	const struct ns *ns = task->ns[NS_MNT];
	char link[PATH_MAX];

	if (!ns || ns->own || ns->root < 0 || task->t.state == TASK_DEAD ||
	    proc_link(&task->proc, "root", link, sizeof(link)) < 0 || strcmp(link, "/"))
		return;
	_cleanup_close_ int root = proc_open_file(&task->proc, "root", O_PATH | O_DIRECTORY);
	if (root >= 0 && mount_id(root) != mount_id(ns->root))
		dump_blocker(
			dump, task, -1,
			"its root directory is covered by another mount (as after mount --bind / /), which is not supported: unmount that, or start the process in it (chroot /)");
}

static int survey_all(struct dump *dump)
{
	size_t blockers = dump->blockers.nr;
	struct ns *ns;
	int err = 0;

	ns_for_each(ns, &dump->namespaces, NS_MNT)
		if (!err && !ns->own && ns->member)
			err = survey_one(dump, ns);
	if (err || dump->blockers.nr != blockers)
		return err;
	err = check_mounts(dump);
	if (!err && dump->blockers.nr == blockers)
		err = mounts_check_groups(&dump->namespaces);
	if (!err && dump->blockers.nr == blockers)
		err = mounts_check_outer_groups(dump);
	ns_for_each(ns, &dump->namespaces, NS_MNT)
		if (!err && ns->data && dump->blockers.nr == blockers)
			err = mounts_survey_content(dump, ns);
	return err;
}

int mounts_survey(struct dump *dump)
{
	struct dump_task *task;
	int err;

	check_own(dump);
	dump_for_each_task(task, dump)
		check_root(dump, task);
	err = survey_all(dump) ?: mount_check_bound(dump);
	mount_forget_host(dump);
	return err;
}
