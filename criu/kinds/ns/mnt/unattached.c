// SPDX-License-Identifier: GPL-2.0-only
/* File systems that only mounts which are attached nowhere show. They are saved with the descriptor of such a mount: fd/regular/detached.c */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "kernel/mountinfo.h"
#include "kinds/kinds.h"
#include "kinds/ns/mnt/content.h"
#include "kinds/ns/mnt/fs_type.h"
#include "kinds/ns/mnt/restore.h"
#include "kinds/ns/mnt/save.h"
#include "util/fds.h"
#include "util/log.h"

/* ---- dump ---- */

bool mnt_saves_unattached(const char *fstype)
{
	const struct fs_type *type = fs_type_by_name(fstype);

	return type && type->save == content_save;
}

bool mnt_is_proc(const char *fstype)
{
	const struct fs_type *type = fs_type_by_name(fstype);

	return type && type->number == FSTYPE__PROC;
}

int mnt_save_unattached(struct dump *dump, const struct dump_task *task, const struct mount_info *info, int root,
			MntEntry **ret)
{
	struct ns *ns = task->ns[NS_MNT];
	struct mounts of = { .ns = ns };
	struct mount_fs fs = { .type = fs_type_by_name(info->fstype) };
	struct mount mount = { .info = info, .of = &of, .fs = &fs };
	int err = mount_fill_entry(dump, &mount);

	if (err)
		return err;
	fs.dev = mount.entry->root_dev;
	if (fs.type->number == FSTYPE__AUTO)
		mount.entry->fsname = dump_strdup(dump, info->fstype);
	if (fs.type->number == FSTYPE__AUTO && !mount.entry->fsname)
		return fail(-ENOMEM, "mounts");
	/* They say nothing of one that is attached nowhere. */
	mount.entry->parent_mnt_id = 0;
	mount.entry->shared_id = mount.entry->master_id = 0;
	*ret = mount.entry;
	return dump_is_check(dump) || !fs.type->save ? 0 : fs.type->save(dump, ns, &mount, root);
}

/* ---- restore ---- */

struct unattached {
	struct mount mount;
	struct mounts of;
	struct mount_fs fs;
	MntEntry entry;
};

int mnt_load_unattached(struct restore *r, const MntEntry *entry, const char *name, struct unattached **ret)
{
	struct ns *ns = restore_task_of(r->plan.tree.root)->ns[NS_MNT];
	struct unattached *un = restore_alloc(r, sizeof(*un));
	int err;

	if (!un)
		return fail(-ENOMEM, "%s", name);
	un->entry = *entry;
	un->entry.mountpoint = (char *)name;
	un->of = (struct mounts){ .ns = ns, .v = &un->mount, .n = 1, .root = &un->mount, .proc = -1 };
	un->fs = (struct mount_fs){ .dev = entry->root_dev, .type = fs_type_of_entry(entry), .whole = &un->mount };
	un->mount = (struct mount){
		.entry = &un->entry, .of = &un->of, .fs = &un->fs, .fd = -1, .idmap = -1, .given = -1, .point = -1
	};
	if (!un->fs.type || (un->fs.type->fill != content_fill && un->fs.type->number != FSTYPE__PROC))
		return fail(-EBADMSG, "files.img: mount %s: no file system of type %u can be attached nowhere", name,
			    entry->fstype);
	err = mount_check_labels(r, &un->mount);
	if (err)
		return err;
	*ret = un;
	return un->fs.type->load ? un->fs.type->load(r, ns, &un->mount) : 0;
}

int mnt_make_unattached(struct restore *r, struct unattached *un)
{
	_cleanup_close_ int fd = mount_create_fs(&un->mount, NULL), dir = -1;
	int err;

	if (fd < 0 || !un->fs.type->fill)
		return steal_fd(&fd);
	dir = open_at(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	if (dir < 0)
		return fail(dir, "open mount %s", MOUNT_NAME(&un->mount));
	err = content_fill_unattached(r, &un->mount, dir);
	if (err)
		return err;
	un->mount.fd = fd;
	err = mount_settle_fs(&un->mount);
	un->mount.fd = -1;
	return err ? err : steal_fd(&fd);
}
