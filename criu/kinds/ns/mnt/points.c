// SPDX-License-Identifier: GPL-2.0-only
/* Mount points, which are created if they are missing. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "kinds/ns/mnt/restore.h"
#include "util/fds.h"
#include "util/log.h"

struct mount_point {
	struct mount_point *next;
	int dir; /* it was created in */
	char name[NAME_MAX + 1];
	bool is_dir;
};

#define RESOLVE_TRIES 1000

/* Names of the tree could lead anywhere, and we are root of the host: no link is followed, no other mount entered. */
static int open_below(int dir, const char *path)
{
	struct open_how how = { .flags = O_PATH | O_CLOEXEC | O_NOFOLLOW,
				.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV };
	int fd = -1;

	if (!*path)
		path = ".";
	for (int tries = 0; tries < RESOLVE_TRIES; tries++) {
		fd = (int)syscall(SYS_openat2, dir, path, &how, sizeof(how));
		if (fd >= 0 || (errno != EAGAIN && errno != EINTR))
			break;
	}
	return fd < 0 ? -errno : fd;
}

static int note_made(struct restore *r, int dir, const char *name, bool is_dir)
{
	struct mount_restore *data = mount_restore_data(r);
	struct mount_point *made = data ? calloc(1, sizeof(*made)) : NULL;

	if (!made)
		return -ENOMEM;
	made->dir = dup_fd_above(dir, r->service_base);
	if (made->dir < 0) {
		int err = made->dir;

		free(made);
		return err;
	}
	strcpy(made->name, name);
	made->is_dir = is_dir;
	made->next = data->made;
	data->made = made;
	return 0;
}

static int make(struct restore *r, int dir, const char *name, bool is_dir)
{
	int err = is_dir ? mkdirat(dir, name, 0755) : mknodat(dir, name, S_IFREG | 0644, 0);

	if (err < 0)
		return -errno;
	err = note_made(r, dir, name, is_dir);
	if (err)
		unlinkat(dir, name, is_dir ? AT_REMOVEDIR : 0);
	return err;
}

/* Component by component. */
static int make_path(struct restore *r, int dir, const char *path, bool is_dir)
{
	_cleanup_close_ int at = open_below(dir, "");

	while (at >= 0 && *path) {
		size_t len = strcspn(path, "/");
		char name[NAME_MAX + 1];
		int next;

		if (len > NAME_MAX)
			return -ENAMETOOLONG;
		memcpy(name, path, len);
		name[len] = 0;
		path += len + (path[len] == '/');
		next = open_below(at, name);
		if (next == -ENOENT) {
			int err = make(r, at, name, *path || is_dir);

			next = err ? err : open_below(at, name);
		}
		close(at);
		at = next;
	}
	return steal_fd(&at);
}

int mount_point_open(struct restore *r, int dir, const char *path, bool is_dir)
{
	int fd = open_below(dir, path);

	return fd == -ENOENT ? make_path(r, dir, path, is_dir) : fd;
}

void mount_points_end(struct restore *r, bool remove)
{
	struct mount_restore *data = mount_restore_data(r);

	while (data && data->made) {
		struct mount_point *made = data->made;

		data->made = made->next;
		if (remove && unlinkat(made->dir, made->name, made->is_dir ? AT_REMOVEDIR : 0) < 0 && errno != ENOENT)
			log_warn("the mount point %s, which was created, could not be removed: %s", made->name,
				 strerror(errno));
		close(made->dir);
		free(made);
	}
}
