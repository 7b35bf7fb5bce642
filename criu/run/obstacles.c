// SPDX-License-Identifier: GPL-2.0-only
#include "run/obstacles.h"
#include <errno.h>
#include "run/restore.h"

int restore_continues(struct restore *r, int err)
{
	if (!r->check || !err || err == -ENOMEM || err == -EINTR)
		return err;
	r->check->incomplete = true;
	return 0;
}

void restore_is_about(struct restore *r, const char *kind, const struct restore_task *task, const struct file *file)
{
	struct obstacle *about = r->check ? &r->check->about : NULL;

	if (!about)
		return;
	*about = (struct obstacle){ .fd = -1, .kind = kind };
	if (task) {
		about->pid = task->t.pid;
		about->comm = task->t.comm;
	}
	about->file = file;
	if (!file)
		return;
	about->fd = file->owner_fd;
	about->path = file->entry->reg ? file->entry->reg->name : NULL;
	if (file->kind)
		about->kind = file->kind->name;
}

bool restore_paths_exist(struct restore *r)
{
	const struct ns *ns;

	ns_for_each(ns, &r->plan.namespaces, NS_MNT)
		if (!ns->own)
			return false;
	return true;
}
