// SPDX-License-Identifier: GPL-2.0-only
/*
 * devpts: its nodes are there as long as the masters of their terminals are open, which the tasks or the client get. Those that
 * are mounted elsewhere, as /dev/console of a container, must exist when mounts are created.
 */
#include <errno.h>
#include "kinds/ns/mnt/fs_type.h"
#include "kinds/ns/mnt/restore.h"
#include "run/pty.h"
#include "util/log.h"
#include "util/str.h"

/* CRIU adds it; every instance is new nowadays. */
static const char *const not_options[] = { "newinstance", NULL };

static int fill(struct restore *r, const struct ns *ns, struct mount *whole, int dir_fd)
{
	struct mount *mount;
	int err = 0;

	mounts_for_each_of_all(mount, &r->plan.namespaces)
	{
		uint32_t index;

		if (err || mount->fs != whole->fs || parse_u32(mount->entry->root + 1, &index) < 0)
			continue;
		err = restore_make_pty(r, dir_fd, index);
		if (err)
			err = fail(err, "mount %s: create terminal %u of %s", MOUNT_NAME(mount), index,
				   MOUNT_NAME(whole));
	}
	return err;
}

const struct fs_type fs_type_devpts = {
	.name = "devpts",
	.number = FSTYPE__DEVPTS,
	.not_options = not_options,
	.fill = fill,
};
