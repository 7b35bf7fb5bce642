// SPDX-License-Identifier: GPL-2.0-only
/* Mount points, which are created if they are missing. */
#include "kinds/ns/mnt/points.h"
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "kinds/ns/mnt/find.h"
#include "kinds/ns/mnt/mount.h"
#include "kinds/ns/mnt/undo.h"
#include "util/fds.h"
#include "util/log.h"

/* @path: of the new one, whose last component is created in @dir. */
static int make(struct restore *r, const struct mount *mount, int dir, const char *path, bool is_dir)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	size_t note;
	int err = mount_undo_note(r, mount, path, is_dir, &note);

	if (!err && (is_dir ? mkdirat(dir, name, 0755) : mknodat(dir, name, S_IFREG | 0644, 0)) < 0) {
		err = -errno;
		mount_undo_drop(r, note);
	}
	return err;
}

/* Component by component. */
static int make_path(struct restore *r, const struct mount *mount, const char *path, bool is_dir)
{
	_cleanup_close_ int at = mount_find(mount->fd, "");
	size_t begin = 0;

	while (at >= 0 && path[begin]) {
		size_t end = begin + strcspn(path + begin, "/");
		char part[PATH_MAX];
		int next;

		if (str_format(part, sizeof(part), "%.*s", (int)end, path))
			return -ENAMETOOLONG;
		next = mount_find(at, part + begin);
		if (next == -ENOENT) {
			int err = make(r, mount, at, part, path[end] || is_dir);

			next = err ? err : mount_find(at, part + begin);
		}
		close(at);
		at = next;
		begin = end + (path[end] == '/');
	}
	return steal_fd(&at);
}

int mount_point_open(struct restore *r, const struct mount *mount, const char *path, bool is_dir)
{
	int fd = mount_find(mount->fd, path);

	return fd == -ENOENT ? make_path(r, mount, path, is_dir) : fd;
}
