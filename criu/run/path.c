// SPDX-License-Identifier: GPL-2.0-only
#include "run/path.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "kernel/mountinfo.h"
#include "util/fds.h"
#include "util/hash.h"
#include "util/str.h"

struct path_from path_from(const struct path_roots *roots, int mnt_id, const char *path)
{
	uint64_t fd;

	if (!roots->by_mount || mnt_id < 0 || !hash_get(roots->by_mount, (uint64_t)mnt_id, &fd))
		return (struct path_from){ roots->root, path };
	return (struct path_from){ (int)fd == roots->inside ? AT_FDCWD : (int)fd, path };
}

const struct mount_info *path_waits(const struct path_roots *roots, int mnt_id, const char *path, unsigned flags)
{
	/* The kernel does not mount on what exists for a mere reference to it: open(2), O_PATH. */
	const bool enters = !(flags & O_PATH) || flags & O_DIRECTORY;
	const struct mount_info *of, *at;
	const char *rest = "";

	if (!roots->may_wait)
		return NULL;
	of = mnt_id < 0 ? NULL : mountinfo_find(roots->may_wait, mnt_id);
	at = mountinfo_at(roots->may_wait, of ? of->ns : roots->ns, path, &rest);
	if (!at || !mount_is_automounted(at))
		return NULL;
	if (!*rest)
		return enters && mount_is_trigger(at) ? at : NULL;
	return of == at && !enters && !mount_is_trigger(at) && !strchr(rest, '/') &&
			       !str_has_suffix(rest, " (deleted)") ?
		       NULL :
		       at;
}

/* openat2(2) rejects flags that open(2) would ignore; images may contain some. */
static unsigned known_flags(unsigned flags)
{
	flags &= O_ACCMODE | O_APPEND | O_NONBLOCK | O_SYNC | O_DSYNC | O_DIRECT | O_LARGEFILE | O_DIRECTORY |
		 O_NOFOLLOW | O_NOATIME | O_CLOEXEC | O_NOCTTY | O_PATH;
	return flags & O_PATH ? flags & (O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) : flags;
}

#define RESOLVE_TRIES 1000

int path_open_resolving(const struct path_roots *roots, int mnt_id, const char *path, unsigned flags, uint64_t resolve)
{
	const struct path_from from = path_from(roots, mnt_id, path);
	struct open_how how = { .flags = known_flags(flags) | O_CLOEXEC,
				.resolve = resolve | (from.dir == AT_FDCWD ? 0 : RESOLVE_IN_ROOT) };
	int fd;

	if (path_waits(roots, mnt_id, path, flags))
		return -EDEADLK;
	/* EAGAIN: a rename or mount occurred anywhere meanwhile, and the path contains "..": openat2(2). */
	for (int tries = 0; tries < RESOLVE_TRIES; tries++) {
		fd = (int)syscall(SYS_openat2, from.dir, from.path, &how, sizeof(how));
		if (fd >= 0 || (errno != EAGAIN && errno != EINTR))
			break;
	}
	return fd < 0 ? -errno : fd;
}

int path_open(const struct path_roots *roots, int mnt_id, const char *path, unsigned flags)
{
	const struct path_from from = path_from(roots, mnt_id, path);

	if (from.dir != AT_FDCWD)
		return path_open_resolving(roots, mnt_id, path, flags, 0);
	return path_waits(roots, mnt_id, path, flags) ? -EDEADLK : open_at(AT_FDCWD, from.path, (int)flags, 0);
}

DIR *path_opendir(const struct path_roots *roots, int mnt_id, const char *path)
{
	int fd = path_open(roots, mnt_id, path, O_RDONLY | O_NONBLOCK | O_DIRECTORY);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	if (fd < 0)
		errno = -fd;
	else if (!dir)
		close(fd);
	return dir;
}

int path_stat(const struct path_roots *roots, int mnt_id, const char *path, bool follow, struct stat *ret)
{
	const struct path_from from = path_from(roots, mnt_id, path);

	if (path_waits(roots, mnt_id, path, O_PATH))
		return -EDEADLK;
	if (from.dir == AT_FDCWD)
		return fstatat(AT_FDCWD, from.path, ret, follow ? 0 : AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
	_cleanup_close_ int fd = path_open(roots, mnt_id, path, O_PATH | (follow ? 0 : O_NOFOLLOW));
	return fd < 0 ? fd : fstat(fd, ret) < 0 ? -errno : 0;
}

int path_chdir(const struct path_roots *roots, int mnt_id, const char *path)
{
	const struct path_from from = path_from(roots, mnt_id, path);

	if (path_waits(roots, mnt_id, path, O_PATH | O_DIRECTORY))
		return -EDEADLK;
	if (from.dir == AT_FDCWD)
		return chdir(from.path) < 0 ? -errno : 0;
	_cleanup_close_ int fd = path_open(roots, mnt_id, path, O_PATH | O_DIRECTORY);
	return fd < 0 ? fd : fchdir(fd) < 0 ? -errno : 0;
}
