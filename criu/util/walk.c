// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "util/fds.h"
#include "util/str.h"
#include "util/walk.h"

#define LINKS_MAX 40 /* as in the kernel: path_resolution(7) */

/* The rest of the path. */
struct rest {
	char path[2 * PATH_MAX];
	unsigned links;
};

void walk_free(struct walk *w)
{
	cleanup_close(&w->dir);
}

static int open_root(const struct walk *w)
{
	return w->root == AT_FDCWD ? open_at(AT_FDCWD, "/", O_PATH | O_DIRECTORY, 0) :
				     open_at(w->root, ".", O_PATH | O_DIRECTORY, 0);
}

static int go_to(struct walk *w, int fd)
{
	if (fd < 0)
		return fd;
	cleanup_close(&w->dir);
	w->dir = fd;
	return 0;
}

static bool same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

static int go_up(struct walk *w)
{
	_cleanup_close_ int root = open_root(w);
	struct stat top, here;

	if (root < 0)
		return root;
	if (fstat(root, &top) < 0 || fstat(w->dir, &here) < 0)
		return -errno;
	return same_file(&top, &here) ? 0 : go_to(w, open_at(w->dir, "..", O_PATH | O_DIRECTORY, 0));
}

/* Moves the first component of @rest to w->name; "" if there is none. */
static int next_name(struct walk *w, struct rest *rest, bool *ret_last)
{
	size_t slashes = strspn(rest->path, "/"), len = strcspn(rest->path + slashes, "/");
	char *behind = rest->path + slashes + len;

	if (len > NAME_MAX)
		return -ENAMETOOLONG;
	memcpy(w->name, rest->path + slashes, len);
	w->name[len] = 0;
	*ret_last = !behind[strspn(behind, "/")];
	memmove(rest->path, behind, strlen(behind) + 1);
	return 0;
}

static bool is_of_proc(int fd)
{
	struct statfs fs;

	return !fstatfs(fd, &fs) && fs.f_type == PROC_SUPER_MAGIC;
}

/* Replaces a link by its text in the rest of the path; the text of links in /proc/PID/fd does not lead to the file. */
static int follow(struct walk *w, struct rest *rest, int link, int *ret_fd)
{
	char text[PATH_MAX], behind[sizeof(rest->path)];
	ssize_t len;
	int err;

	if (++rest->links > LINKS_MAX)
		return -ELOOP;
	if (is_of_proc(link)) {
		*ret_fd = open_at(w->dir, w->name, O_PATH, 0);
		return *ret_fd < 0 ? *ret_fd : 0;
	}
	len = read_link(link, "", text, sizeof(text));
	if (len < 0)
		return len;
	memcpy(behind, rest->path, strlen(rest->path) + 1);
	err = str_format(rest->path, sizeof(rest->path), "%s%s%s", text, *behind ? "/" : "", behind);
	return err || text[0] != '/' ? err : go_to(w, open_root(w));
}

static int judge(const struct walk *w, int fd, const struct stat *st)
{
	struct stat dir_st;
	struct walk_step step = { .dir = w->dir, .dir_st = &dir_st, .name = w->name, .fd = fd, .st = st };

	return fstat(w->dir, &dir_st) < 0 ? -errno : w->judge(w->arg, &step);
}

static int enter(struct walk *w, int fd, bool last, int *ret_fd)
{
	if (!last)
		return go_to(w, fd);
	*ret_fd = fd;
	return 1;
}

/* Resolves one component: 1 with *ret_fd if it was the last one. */
static int step(struct walk *w, struct rest *rest, int *ret_fd)
{
	_cleanup_close_ int fd = -1;
	int err, target = -1;
	struct stat st;
	bool last;

	err = next_name(w, rest, &last);
	if (!err && !strcmp(w->name, ".."))
		err = go_up(w);
	if (err)
		return err;
	if (!w->name[0] || !strcmp(w->name, ".."))
		strcpy(w->name, ".");
	fd = open_at(w->dir, w->name, O_PATH | O_NOFOLLOW, 0);
	if (fd < 0 && (fd != -ENOENT || !last))
		return fd == -ENOENT ? -ENOTDIR : fd;
	if (fd >= 0 && fstat(fd, &st) < 0)
		return -errno;
	err = judge(w, fd, fd < 0 ? NULL : &st);
	if (err || fd < 0)
		return err ? err : -ENOENT;
	if (!S_ISLNK(st.st_mode) || (last && !w->follow_last))
		return enter(w, steal_fd(&fd), last, ret_fd);
	err = follow(w, rest, fd, &target);
	return err || target < 0 ? err : enter(w, target, last, ret_fd);
}

int walk_path(struct walk *w, int from, const char *path)
{
	struct rest rest = { .links = 0 };
	int err = str_format(rest.path, sizeof(rest.path), "%s", path), fd = -1;

	w->dir = -1;
	if (!err)
		err = go_to(w, path[0] == '/' ? open_root(w) : open_at(from, ".", O_PATH | O_DIRECTORY, 0));
	while (!err)
		err = step(w, &rest, &fd);
	if (err < 0 && err != -ENOENT) {
		cleanup_close(&w->dir);
		w->dir = -1;
	}
	return err == -ENOTDIR ? -ENOENT : err < 0 ? err : fd;
}
