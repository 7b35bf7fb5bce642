// SPDX-License-Identifier: GPL-2.0-only
/*
 * Names that are paths. getsockname(2) returns the text passed to bind(2), so the path cannot be rewritten: we change
 * our root and working directory to where it refers to the right place. Names whose file has been removed are created
 * in a private file system.
 */
#include <errno.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include "kernel/device.h"
#include "kinds/fd/unix/internal.h"
#include "run/names.h"
#include "run/path.h"
#include "run/outside.h"
#include "util/fds.h"
#include "util/proc_root.h"
#include "util/str.h"

#define RING_TRIES 50
#define RING_STEP_US 2000

/* Our own root and directory, to return to. */
struct origin {
	int root, dir; /* -1: unchanged */
	int hidden; /* root of a private file system */
};

static void leave(struct origin *origin)
{
	/* Nothing more can be done if this fails: both existed before. */
	if (origin->root >= 0 && (fchdir(origin->root) < 0 || chroot(".") < 0))
		log_warn("return to our own root: %m");
	if (origin->dir >= 0 && fchdir(origin->dir) < 0)
		log_warn("return to our own directory: %m");
	cleanup_close(&origin->root);
	cleanup_close(&origin->dir);
	cleanup_close(&origin->hidden);
}

static int enter_root(int fd, struct origin *origin)
{
	origin->root = path_open(&PATH_OWN, PATH_ROOT_MOUNT, "/", O_PATH | O_DIRECTORY);
	if (origin->root < 0)
		return fail(origin->root, "open /");
	return fchdir(fd) < 0 || chroot(".") < 0 ?
		       fail(-errno, "change to the root directory of a unix socket's name") :
		       0;
}

/* @name relative to the root; that is how it is resolved there. */
static const char *below_root(const char *name)
{
	return name + strspn(name, "/");
}

static int new_hidden(const struct restore *r)
{
	_cleanup_close_ int fs = fsopen("tmpfs", FSOPEN_CLOEXEC);
	int fd = fs < 0 || fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0 ? -1 : fsmount(fs, FSMOUNT_CLOEXEC, 0);

	if (fd < 0)
		fd = -errno;
	/* Only the user namespace that owns our mount namespace may. */
	return fd == -EPERM ? outside_new_tmpfs(r) : fd;
}

static int enter_hidden(const struct restore *r, const char *name, struct origin *origin)
{
	char dir[UNIX_NAME_MAX + 1];
	char *slash;
	int err;

	origin->hidden = new_hidden(r);
	if (origin->hidden < 0)
		return fail(origin->hidden, "create a tmpfs for removed names");
	err = enter_root(origin->hidden, origin);
	if (err)
		return err;
	strcpy(dir, below_root(name));
	slash = strrchr(dir, '/');
	if (!slash)
		return 0;
	*slash = 0;
	err = make_dirs(origin->hidden, dir, 0700);
	return err ? fail(err, "create the directory of %s", name) : 0;
}

static int enter(struct restore *r, const struct unix_sock *sock, const char *name, bool hidden, struct origin *origin)
{
	const char *dir = sock->entry->name_dir ? sock->entry->name_dir : "/";
	const struct path_from from = path_from(&r->roots, sock->entry->mnt_id, name);
	int err = 0;

	origin->dir = open_at(proc_root(), "self/cwd", O_PATH | O_DIRECTORY, 0);
	if (origin->dir < 0)
		return fail(origin->dir, "open our working directory");
	if (hidden)
		return enter_hidden(r, name, origin);
	if (from.dir >= 0)
		err = enter_root(from.dir, origin);
	if (err || name[0] == '/')
		return err;
	err = path_chdir(&r->roots, sock->entry->mnt_id, dir);
	return err ? fail(err, "change to %s, the directory of the unix socket %s", dir, name) : 0;
}

static const char *base_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* Numbers of files of different ones are often the same there, and stat(2) shows the device of the file system. */
static bool is_on_tmpfs(int dir)
{
	struct statfs fs;

	return !fstatfs(dir, &fs) && (fs.f_type == TMPFS_MAGIC || fs.f_type == RAMFS_MAGIC);
}

static int find_user(const struct stat *st, bool same_dev, uint32_t *ret_user)
{
	struct unix_diags diags = { 0 };
	const struct unix_diag *sk;
	int err = unix_diag_read(&diags);

	if (err)
		return err;
	array_for_each(sk, &diags.all)
		if (sk->has_vfs && sk->vfs_ino == (uint32_t)st->st_ino &&
		    (sk->vfs_dev == kdev_make(major(st->st_dev), minor(st->st_dev)) ||
		     (!same_dev && !major(st->st_dev))))
			*ret_user = sk->ino;
	unix_diag_free(&diags);
	return 0;
}

/*
 * In a sticky directory the task may not remove a file that root has given to another user; remove it as root if it
 * still has that owner.
 */
static int remove_as_root(struct restore *r, const FilePermsEntry *perms, int dir, const char *base,
			  const struct stat *st)
{
	const struct opener *as = r->process.opened_as;
	struct stat dir_st;
	int err;

	if (!as || !perms || st->st_uid != perms->uid || st->st_gid != perms->gid || fstat(dir, &dir_st) < 0 ||
	    !(dir_st.st_mode & S_ISVTX))
		return -EPERM;
	opener_leave(r);
	err = unlinkat(dir, base, 0) < 0 ? -errno : 0;
	return err ? err : opener_enter(r, as);
}

/* 1: there is a socket of that name, which nobody uses. */
static int find_stale(int dir, const char *path, struct stat *ret_st)
{
	uint32_t user = 0;
	int err;

	if (fstatat(dir, base_of(path), ret_st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : fail(-errno, "stat %s", path);
	if (!S_ISSOCK(ret_st->st_mode))
		return fail(-EADDRINUSE, "%s is in the way of a unix socket, and is not a socket; move it away", path);
	err = find_user(ret_st, is_on_tmpfs(dir), &user);
	if (err)
		return fail(err, "query which process uses %s", path);
	if (user)
		return fail(-EADDRINUSE, "%s is the name of another program's socket:[%u]; end that program first",
			    path, user);
	return 1;
}

int unix_check_stale(int dir, const char *path)
{
	struct stat st;
	int found = find_stale(dir, path, &st);

	return found < 0 ? found : 0;
}

/* A socket file left behind by an earlier run is removed, unless it belongs to an open socket. */
static int remove_stale(struct restore *r, const struct unix_sock *sock, int dir, const char *path)
{
	const char *base = base_of(path);
	struct stat st;
	int err = find_stale(dir, path, &st);

	if (err <= 0)
		return err;
	err = unlinkat(dir, base, 0) < 0 ? -errno : 0;
	if (err == -EPERM)
		err = remove_as_root(r, sock->entry->file_perms, dir, base, &st);
	return err ? fail(err, "remove the unused socket %s", path) : 0;
}

/*
 * The directory of the absolute @path, for creating and removing names with the rights of those that have @sock:
 * run/names.h.
 */
static int open_dir_of(struct restore *r, const struct unix_sock *sock, const char *path)
{
	char dir[PATH_MAX];
	char *slash;
	int fd = str_format(dir, sizeof(dir), "%s", path);

	if (fd)
		return fd;
	slash = strrchr(dir, '/');
	slash[slash == dir] = 0;
	fd = names_open_dir(r, audience_of_file(r, sock->file), sock->entry->mnt_id, dir);
	return fd == -ENOENT || fd == -ENOTDIR ? fail(fd, "open %s, the directory of a unix socket", dir) : fd;
}

/* A socket that has just been bound. */
struct bound {
	int dir, fd; /* the directory; the socket */
	const char *name;
	uid_t uid; /* the user that called bind(2) */
};

/* The file that the socket is bound to: from the socket, if permitted, else by its name, if it can only be ours. */
static int open_bound(const struct bound *b)
{
	_cleanup_close_ int fd = ioctl(b->fd, SIOCUNIXFILE_);
	struct stat st;

	if (fd >= 0)
		return steal_fd(&fd);
	fd = open_at(b->dir, base_of(b->name), O_PATH | O_NOFOLLOW, 0);
	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return -errno;
	return S_ISSOCK(st.st_mode) && st.st_uid == b->uid ? steal_fd(&fd) : -EAGAIN;
}

static int set_perms(struct restore *r, const FilePermsEntry *perms, int file, const char *name)
{
	char path[PROC_FD_NAME_MAX];

	opener_leave(r);
	if (file < 0)
		return fail(file, "find the file of the unix socket %s", name);
	if (fchownat(file, "", perms->uid, perms->gid, AT_EMPTY_PATH) < 0)
		return fail(-errno, "change the owner of %s to %u:%u", name, perms->uid, perms->gid);
	if (fchmodat(proc_root(), proc_fd_name(path, file), perms->mode & 07777, 0) < 0)
		return fail(-errno, "set the mode of %s to 0%o", name, perms->mode & 07777);
	return 0;
}

/* Both directories are open: if a path component is replaced meanwhile, it is not followed. */
static int move_name(struct restore *r, const struct unix_sock *sock, int from, const char *name)
{
	const char *to = sock->entry->moved_to;
	const struct opener *as = r->process.opened_as;
	_cleanup_close_ int dir = open_dir_of(r, sock, to);
	int err;

	if (dir < 0)
		return dir;
	err = remove_stale(r, sock, dir, to);
	/* One directory may need the rights of the task, the other one ours: write permission was checked for both. */
	if (!err && r->process.opened_as != as)
		opener_leave(r);
	if (!err && renameat(from, base_of(name), dir, base_of(to)) < 0)
		err = fail(-errno, "move %s to its original path %s", name, to);
	return err;
}

/* Moved before the owner is changed: in a sticky directory only the owner may move it. */
static int set_file_properties(struct restore *r, const struct unix_sock *sock, const struct bound *b)
{
	const FilePermsEntry *perms = sock->entry->file_perms;
	const struct opener *as = r->process.opened_as;
	_cleanup_close_ int file = -1;
	int err = 0;

	opener_leave(r);
	if (perms)
		file = open_bound(b);
	if (sock->entry->moved_to)
		err = opener_enter(r, as);
	if (!err && sock->entry->moved_to)
		err = move_name(r, sock, b->dir, b->name);
	return err || !perms ? err : set_perms(r, perms, file, b->name);
}

static int bind_path(struct restore *r, const struct unix_sock *sock, int dir, const char *name, int fd)
{
	struct sockaddr_un addr;
	socklen_t len = unix_fill_address(&sock->entry->name, &addr);
	/* Nothing can connect until the permissions are set. */
	mode_t mask = umask(sock->entry->file_perms ? 0777 : 022);
	int err = bind(fd, (struct sockaddr *)&addr, len) < 0 ? -errno : 0;

	if (err == -EADDRINUSE) {
		err = remove_stale(r, sock, dir, name);
		if (err) {
			umask(mask);
			return err;
		}
		err = bind(fd, (struct sockaddr *)&addr, len) < 0 ? -errno : 0;
	}
	umask(mask);
	if (err)
		return fail(err, "bind a unix socket to %s%s%s", name, name[0] == '/' ? "" : " in ",
			    name[0] == '/'	  ? "" :
			    sock->entry->name_dir ? sock->entry->name_dir :
						    "/");
	return 0;
}

/* What a name that exists already, and its directory, have of the dump, and a new one would not. */
struct replaced {
	bool any;
	struct stat file, dir;
};

static struct replaced note_replaced(int dir, const char *name)
{
	struct replaced was = { 0 };

	was.any = !fstatat(dir, base_of(name), &was.file, AT_SYMLINK_NOFOLLOW) && S_ISSOCK(was.file.st_mode) &&
		  !fstat(dir, &was.dir);
	return was;
}

static void keep_times(int dir, const char *name, const struct replaced *was)
{
	const struct timespec file[] = { was->file.st_atim, was->file.st_mtim };
	const struct timespec times[] = { was->dir.st_atim, was->dir.st_mtim };

	if (!was->any)
		return;
	if (utimensat(dir, base_of(name), file, AT_SYMLINK_NOFOLLOW) < 0 || utimensat(dir, ".", times, 0) < 0)
		log_debug("set the times of %s: %m", name);
}

/* The rights depend on the directory; bind(2) resolves the path again, to the same directory. */
static int bind_original(struct restore *r, const struct unix_sock *sock, const char *name, int fd)
{
	_cleanup_close_ int dir = open_dir_of(r, sock, sock->key);
	struct replaced was;
	uid_t uid;
	int err;

	if (dir < 0)
		return dir;
	was = note_replaced(dir, sock->key);
	uid = opener_uid();
	err = bind_path(r, sock, dir, name, fd);
	if (!err)
		err = set_file_properties(r, sock, &(struct bound){ dir, fd, name, uid });
	opener_leave(r);
	if (!err && !sock->entry->moved_to)
		keep_times(dir, sock->key, &was);
	return err;
}

/* In a private file system, where nothing else can have the name. */
static int bind_hidden(struct restore *r, const struct unix_sock *sock, const char *name, int fd, int root)
{
	int err = bind_path(r, sock, root, name, fd);

	return !err && unlinkat(root, below_root(name), 0) < 0 ? fail(-errno, "unlink %s", name) : err;
}

/*
 * Sockets in flight in each other's queues survive their program, names included, until the kernel's garbage collector
 * runs, which happens when a unix socket is closed.
 */
static int bind_abstract(int fd, const struct sockaddr_un *addr, socklen_t len, bool patient)
{
	for (unsigned int tries = 0;; tries++) {
		if (!bind(fd, (const struct sockaddr *)addr, len))
			return 0;
		if (errno != EADDRINUSE || !patient || tries == RING_TRIES)
			return -errno;
		close(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
		usleep(RING_STEP_US); /* style: the garbage collector runs in a worker; no event reports its end */
	}
}

int unix_bind(struct restore *r, const struct unix_sock *sock, int fd, bool hidden)
{
	struct origin origin = { -1, -1, -1 };
	char name[UNIX_NAME_MAX + 1] = "";
	struct sockaddr_un addr;
	socklen_t len;
	int err;

	if (!unix_has_path(sock)) {
		len = unix_fill_address(&sock->entry->name, &addr);
		err = bind_abstract(fd, &addr, len, !hidden);
		/* For a hidden name the caller decides whether EADDRINUSE is a failure. */
		return !err || (err == -EADDRINUSE && hidden) ?
			       err :
			       fail(err, "bind a unix socket to @%.*s", (int)sock->key_len - 1, sock->key + 1);
	}
	memcpy(name, sock->entry->name.data, sock->entry->name.len);
	err = enter(r, sock, name, hidden, &origin);
	if (!err)
		err = hidden ? bind_hidden(r, sock, name, fd, origin.hidden) : bind_original(r, sock, name, fd);
	leave(&origin);
	return err;
}
