// SPDX-License-Identifier: GPL-2.0-only
/* What of a tree's mounts belongs to the tool's own mount namespace. */
#include <errno.h>
#include <string.h>
#include "base/cleanup.h"
#include "kernel/proc_pid.h"
#include "kinds/kinds.h"
#include "kinds/ns/mnt/save.h"
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

static bool same_device(const struct mount_info *a, const struct mount_info *b)
{
	return a->dev_major == b->dev_major && a->dev_minor == b->dev_minor;
}

const char *mount_on_host(struct dump *dump, const struct mount_info *info, int *ret_err)
{
	const struct mountinfo *host = host_mounts(dump, ret_err);
	const struct mount_info *at, *best = NULL;
	const char *rest, *path;

	if (!host)
		return NULL;
	/* The one that it is a copy of, if there is one; else the narrowest. */
	array_for_each(at, host) {
		if (!same_device(at, info) || !mount_below(at->root, info->root))
			continue;
		if (!best || strlen(at->root) > strlen(best->root) || !strcmp(at->mountpoint, info->mountpoint))
			best = at;
		if (!strcmp(at->mountpoint, info->mountpoint) && !strcmp(at->root, info->root))
			break;
	}
	if (!best)
		return NULL;
	rest = mount_below(best->root, info->root);
	path = dump_printf(dump, "%s%s%s", best->mountpoint, *rest && strcmp(best->mountpoint, "/") ? "/" : "", rest);
	if (!path)
		*ret_err = fail(-ENOMEM, "mounts");
	return path;
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
