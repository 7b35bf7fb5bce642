// SPDX-License-Identifier: GPL-2.0-only
/* Contents of file systems, and the records of the mounts. Runs in the mount namespace. */
#include "kinds/ns/mnt/save.h"
#include <errno.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "kernel/ns_run.h"
#include "kinds/ns/mnt/fs_type.h"
#include "kinds/ns/mnt/idmap.h"
#include "kinds/ns/mnt/removed.h"
#include "kinds/ns/mnt/whole.h"
#include "util/fds.h"
#include "util/log.h"

/* The mount that stands for its file system, once, if that has content. */
static bool is_first_with_content(const struct mount *mount)
{
	const struct fs_type *type = mount->fs ? mount->fs->type : NULL;

	return type && mount->fs->whole == mount && (type->survey || type->save);
}

struct content {
	struct dump *dump;
	struct ns *ns;
};

static int survey_all(void *arg)
{
	const struct content *c = arg;
	struct mounts *m = c->ns->data;
	struct mount *mount;
	int err = mounts_save_idmaps(c->dump, m);

	if (!err)
		err = mounts_survey_removed(c->dump, c->ns);

	mounts_for_each(mount, m) {
		if (err || !is_first_with_content(mount))
			continue;
		if (mount->fs->type->blocks) {
			err = mount->fs->type->blocks(c->dump, c->ns, mount);
			if (err < 0)
				return err;
			if (err) {
				err = 0;
				continue;
			}
		}
		_cleanup_close_ int fd = mount_open_whole(mount);
		if (fd < 0)
			err = fail(fd, "open mount %s", MOUNT_NAME(mount));
		else if (mount->fs->type->survey)
			err = mount->fs->type->survey(c->dump, c->ns, mount, fd);
	}
	return err;
}

int mounts_survey_content(struct dump *dump, struct ns *ns)
{
	const struct dump_task *member = dump_task_of(ns->member);
	const struct mounts *m = ns->data;
	struct content content = { dump, ns };
	struct mount *mount;
	bool any = false;
	int result = 0, err;

	mounts_for_each(mount, m)
		any |= is_first_with_content(mount) || mount_is_idmapped(mount->info) || mount->entry->deleted;
	if (!any)
		return 0;
	_cleanup_close_ int fd = open_fmt(member->proc.dir, O_RDONLY | O_CLOEXEC, "ns/mnt");
	err = fd < 0 ? fd : ns_run_in(&fd, 1, survey_all, &content, &result);
	return err ? fail(err, "enter the mount namespace of process %d", member->t.host_pid) : result;
}

static int save_contents(struct dump *dump, struct ns *ns)
{
	const struct mounts *m = ns->data;
	struct mount *mount;
	int err = 0;

	mounts_for_each(mount, m) {
		if (err || !is_first_with_content(mount) || !mount->fs->type->save)
			continue;
		_cleanup_close_ int fd = mount_open_whole(mount);
		err = fd < 0 ? fail(fd, "open mount %s", MOUNT_NAME(mount)) :
			       mount->fs->type->save(dump, ns, mount, fd);
	}
	return err;
}

static int write_records(struct dump *dump, const struct ns *ns)
{
	const struct mounts *m = ns->data;
	struct image_writer *img;
	int err = image_create(dump->dir, IMAGE_MNTS, ns->id, &img), closed;

	if (err < 0)
		return fail(err, "%s", image_store_error(dump->dir));
	for (size_t i = 0; !err && i < m->n; i++)
		err = image_write_record(img, &m->v[i].entry->base);
	closed = image_close(img);
	err = err ?: closed;
	return err < 0 ? fail(err, "%s", image_store_error(dump->dir)) : 0;
}

int mounts_save(struct dump *dump, struct ns *ns)
{
	int err = 0;

	if (dump->blockers.nr || !ns->data)
		return 0;
	if (!dump_is_check(dump))
		err = save_contents(dump, ns);
	if (!err && !dump_is_check(dump))
		err = mounts_save_removed(dump, ns);
	return err ? err : write_records(dump, ns);
}
