// SPDX-License-Identifier: GPL-2.0-only
/* The record of a mount in the images. */
#include <errno.h>
#include <string.h>
#include "base/cleanup.h"
#include "kernel/device.h"
#include "kinds/ns/mnt/external.h"
#include "kinds/ns/mnt/fs_type.h"
#include "kinds/ns/mnt/options.h"
#include "kinds/ns/mnt/save.h"
#include "util/log.h"

/*
 * In the kernel's format: "uid=5" or "gid=5", with a number of the tool's user namespace. To one of the user namespace in which the
 * file system is created again.
 */
static int add_id(struct dump *dump, const struct ns *user, const char *word, struct buf *to)
{
	uint64_t id = strtoull(word + 4, NULL, 10);

	if (user && user->uids)
		id = id_map_inner(word[0] == 'u' ? user->uids : user->gids, (uint32_t)id);
	else
		id = word[0] == 'u' ? dump_uid_of(dump, (uint32_t)id) : dump_gid_of(dump, (uint32_t)id);
	return buf_printf(to, "%s%.4s%u", to->len ? "," : "", word, (unsigned)id);
}

static int inner_options(struct dump *dump, const struct ns *user, const char *options, struct buf *to)
{
	int err = 0;

	for (const char *word = options; !err && *word;) {
		size_t len = mount_option_len(word);

		if (len > 4 && (!memcmp(word, "uid=", 4) || !memcmp(word, "gid=", 4)))
			err = add_id(dump, user, word, to);
		else
			err = buf_printf(to, "%s%.*s", to->len ? "," : "", (int)len, word);
		word += len + (word[len] == ',');
	}
	return err;
}

static int fill_options(struct dump *dump, const struct mount *mount, MntEntry *entry)
{
	const struct mount_info *info = mount->info;
	_cleanup_buf_ struct buf text = { 0 }, inner = { 0 };
	int err = mount_sb_flags(info->sb_options, &entry->sb_flags, &text);

	entry->has_sb_flags = true;
	if (!err)
		err = inner_options(dump, dump_creator_of(dump, mount->of->ns), text.data ?: "", &inner);
	if (!err && !strcmp(info->fstype, "devpts"))
		err = buf_printf(&inner, "%snewinstance", inner.len ? "," : "");
	entry->options = err ? NULL : dump_strdup(dump, inner.data ?: "");
	return entry->options ? 0 : -ENOMEM;
}

/* The path in the file system, as seen in the cgroup namespace of the tree. */
static const char *root_of(struct dump *dump, const struct mount_info *info)
{
	const struct ns *cgroups = dump_task_of(dump->tree.root)->ns[NS_CGROUP];

	return cgroups && !cgroups->own && str_has_prefix(info->fstype, "cgroup") ? "/" : info->root;
}

int mount_fill_entry(struct dump *dump, struct mount *mount)
{
	const struct mount_info *info = mount->info;
	const struct fs_type *type = fs_type_by_name(info->fstype);
	MntEntry *entry = dump_alloc(dump, sizeof(*entry));
	const char *unknown;

	if (!entry)
		return fail(-ENOMEM, "mounts");
	mnt_entry__init(entry);
	mount->entry = entry;
	entry->fstype = type ? type->number : FSTYPE__UNSUPPORTED;
	entry->mnt_id = (uint32_t)info->mnt_id;
	entry->parent_mnt_id = (uint32_t)info->parent_id;
	entry->root_dev = kdev_make(info->dev_major, info->dev_minor);
	entry->flags = mount_flags(info, &unknown);
	entry->root = dump_strdup(dump, root_of(dump, info));
	if (entry->root && str_has_suffix(entry->root, MOUNT_REMOVED)) {
		entry->root[strlen(entry->root) - strlen(MOUNT_REMOVED)] = 0;
		entry->has_deleted = entry->deleted = true;
	}
	entry->mountpoint = dump_strdup(dump, info->mountpoint);
	entry->source = dump_strdup(dump, info->source);
	entry->has_shared_id = entry->has_master_id = true;
	entry->shared_id = (uint32_t)info->shared_id;
	entry->master_id = (uint32_t)info->master_id;
	if (fill_options(dump, mount, entry) || !entry->root || !entry->mountpoint || !entry->source)
		return fail(-ENOMEM, "mounts");
	return 0;
}

void mount_check_entry(struct dump *dump, const struct mount *mount)
{
	const struct mount_info *info = mount->info;
	const char *unknown;

	mount_flags(info, &unknown);
	if (unknown)
		mount_blocker(
			dump,
			"mount %s has the option \"%.*s\", which is not supported: unmount it, or leave it out with --skip-mnt %s",
			info->mountpoint, (int)strcspn(unknown, ","), unknown, info->mountpoint);
}
