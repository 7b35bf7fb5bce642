// SPDX-License-Identifier: GPL-2.0-only
#include "archive/place.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/limits.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "util/fds.h"

/* The kernel's limit for one call is PATH_MAX. */
#define STEP_MAX (PATH_MAX - NAME_MAX - 2)
#define PATH_LEN_MAX (1u << 20)

void places_free(struct places *p)
{
	buf_free(&p->path);
	cleanup_close(&p->dir);
	p->dir = -1;
}

int place_normalize(const char *path, struct buf *ret)
{
	buf_clear(ret);
	if (*path == '/' || !*path || strlen(path) > PATH_LEN_MAX)
		return -EBADMSG;
	for (const char *at = path, *end; *at; at = *end ? end + 1 : end) {
		size_t len = strcspn(at, "/");

		end = at + len;
		if (!len || (len == 1 && at[0] == '.'))
			continue;
		if (len > NAME_MAX || (len == 2 && at[0] == '.' && at[1] == '.'))
			return -EBADMSG;
		if ((ret->len && buf_add(ret, "/", 1)) || buf_add(ret, at, len))
			return -ENOMEM;
	}
	return ret->data ? 0 : buf_add(ret, "", 0);
}

static int open_below(int dir, const char *path, int flags)
{
	struct open_how how = { .flags = (unsigned)flags | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC,
				.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS |
					   RESOLVE_NO_XDEV };
	long fd = syscall(SYS_openat2, dir, path, &how, sizeof(how));

	return fd < 0 ? -errno : (int)fd;
}

/* The longest part of whole components that one call takes. */
static size_t step_of(const char *path)
{
	size_t len = strlen(path);

	if (len <= STEP_MAX)
		return len;
	for (len = STEP_MAX; len && path[len] != '/'; len--)
		;
	return len;
}

int place_open_dir(const struct places *p, const char *path, int flags)
{
	_cleanup_close_ int at = -1;

	for (;;) {
		char part[STEP_MAX + 1];
		size_t len = step_of(path);
		int last = !path[len], fd;

		memcpy(part, path, len);
		part[len] = 0;
		fd = open_below(at < 0 ? p->root : at, len ? part : ".", last ? flags : O_PATH);
		if (fd < 0 || last)
			return fd;
		cleanup_close(&at);
		at = fd;
		path += len + 1;
	}
}

static int change_dir(struct places *p, const char *path, size_t len)
{
	int err;

	if (p->dir >= 0 && p->path.len == len && !memcmp(p->path.data, path, len))
		return 0;
	cleanup_close(&p->dir);
	p->dir = -1;
	buf_clear(&p->path);
	err = buf_add(&p->path, path, len);
	if (err)
		return err;
	p->dir = place_open_dir(p, p->path.data, O_PATH);
	return p->dir < 0 ? p->dir : 0;
}

int place_find(struct places *p, const char *path, struct place *ret)
{
	const char *slash = strrchr(path, '/');
	int err = change_dir(p, path, slash ? (size_t)(slash - path) : 0);

	if (!err)
		*ret = (struct place){ p->dir, slash ? slash + 1 : path };
	return err;
}
