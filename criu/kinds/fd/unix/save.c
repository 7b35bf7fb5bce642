// SPDX-License-Identifier: GPL-2.0-only
/* Names of sockets; peers outside the tree. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include "kernel/device.h"
#include "kernel/mountinfo.h"
#include "kinds/fd/unix/internal.h"
#include "run/external.h"
#include "run/path.h"
#include "util/fds.h"
#include "util/proc_root.h"
#include "util/str.h"

/* ---- names ---- */

/* A frozen daemon would be asked. */
static void refuse_covered(struct dump *dump, const struct fd_probe *probe, const char *path,
			   const struct mount_info *by)
{
	dump_blocker(
		dump, probe->task, probe->fd,
		"%s: a unix socket whose file, %s, is covered by the autofs mount at %s, whose daemon would be asked for it: that is not supported; close the socket, or unmount that",
		probe->link, path, by->mountpoint);
}

/* Of a mount that is attached nowhere /proc shows a path in it, which restore would create in another file system. */
static void refuse_hidden(struct dump *dump, const struct fd_probe *probe, const UnixSkEntry *entry, const char *path,
			  const struct stat *st)
{
	const int mnt_id = entry->has_mnt_id ? entry->mnt_id : PATH_ROOT_MOUNT;
	const struct mount_info *by = path_waits(&dump->roots, mnt_id, path, O_PATH);
	struct stat seen;
	int err;

	if (by) {
		refuse_covered(dump, probe, path, by);
		return;
	}
	err = path_stat(&dump->roots, mnt_id, path, false, &seen);
	if (err ? err != -ENOENT && err != -ENOTDIR && err != -ELOOP :
		  seen.st_dev == st->st_dev && seen.st_ino == st->st_ino)
		return;
	dump_blocker(
		dump, probe->task, probe->fd,
		"%s: a unix socket whose file is not found by its path, %s: it is on a mount that is attached nowhere (open_tree(2), fsmount(2)), or only in a mount namespace outside of the tree, or is hidden by another mount; make it visible, or close the socket",
		probe->link, path);
}

/* An accepted socket has the name and the file of the listening socket, so their path is saved here, too. */
static int save_bound_file(struct dump *dump, const struct fd_probe *probe, int file, const char *name,
			   UnixSkEntry *entry)
{
	char path[4096 + 16];
	struct statx sx;
	struct stat st;
	FilePermsEntry *perms = dump_alloc(dump, sizeof(*perms));
	size_t name_len = strlen(name);
	ssize_t len;

	if (!perms)
		return fail(-ENOMEM, "unix socket");
	if (fstat(file, &st) < 0)
		return fail(-errno, "file of the unix socket %s", name);
	len = proc_fd_read_link(file, path, sizeof(path));
	if (len < 0)
		return fail(len, "path of the unix socket %s", name);
	dump_check_owner(dump, probe->task, path, &st);
	file_perms_entry__init(perms);
	perms->mode = st.st_mode;
	perms->uid = dump_uid_of(dump, st.st_uid);
	perms->gid = dump_gid_of(dump, st.st_gid);
	entry->file_perms = perms;
	if (!statx(file, "", AT_EMPTY_PATH, STATX_MNT_ID, &sx) && sx.stx_mask & STATX_MNT_ID) {
		entry->has_mnt_id = true;
		entry->mnt_id = dump_mount_of(dump, (int)sx.stx_mnt_id);
	}
	if (!st.st_nlink) {
		entry->has_deleted = entry->deleted = true;
		if (str_has_suffix(path, " (deleted)"))
			path[len -= strlen(" (deleted)")] = 0;
	} else {
		refuse_hidden(dump, probe, entry, path, &st);
	}
	if (name[0] == '/') {
		if (st.st_nlink && !str_eq(path, name))
			entry->moved_to = dump_strdup(dump, path);
		return 0;
	}
	if ((size_t)len > name_len && path[len - name_len - 1] == '/' && str_eq(path + len - name_len, name)) {
		path[len - name_len == 1 ? 1 : len - name_len - 1] = 0;
		entry->name_dir = dump_strdup(dump, path);
		return 0;
	}
	if (st.st_nlink)
		entry->moved_to = dump_strdup(dump, path);
	len = read_link(probe->task->proc.dir, "cwd", path, sizeof(path));
	if (len < 0)
		return fail(len, "directory of the unix socket %s", name);
	entry->name_dir = dump_strdup(dump, path);
	return 0;
}

/* May the lookup of the name that it was bound to wait for an automounter? */
static bool name_waits(const struct dump *dump, const struct dump_task *task, const char *name)
{
	const struct ns *ns = task->ns[NS_MNT];
	const struct path_roots roots = { .may_wait = dump->roots.may_wait, .ns = ns ? ns->id : dump->roots.ns };
	char cwd[4096], path[sizeof(cwd) + UNIX_NAME_MAX + 1];

	if (!roots.may_wait)
		return false;
	if (name[0] == '/')
		return path_waits(&roots, PATH_ROOT_MOUNT, name, O_PATH) != NULL;
	return read_link(task->proc.dir, "cwd", cwd, sizeof(cwd)) < 0 ||
	       str_format(path, sizeof(path), "%s/%s", cwd, name) || path_waits(&roots, PATH_ROOT_MOUNT, path, O_PATH);
}

/* "/a/./b", or a symbolic link: a different text for the same file does not mean that it was moved. */
static void drop_unchanged_path(struct dump *dump, const struct fd_probe *probe, int file, const char *name,
				UnixSkEntry *entry)
{
	_cleanup_close_ int root = -1, seen = -1;
	const char *base = name[0] == '/' ? "root" : "cwd";
	struct stat here, there;

	if (!entry->moved_to ||
	    path_waits(&dump->roots, entry->has_mnt_id ? entry->mnt_id : PATH_ROOT_MOUNT, entry->moved_to, O_PATH) ||
	    name_waits(dump, probe->task, name))
		return;
	root = open_at(probe->task->proc.dir, base, O_PATH, 0);
	while (*name == '/')
		name++;
	seen = root < 0 ? root : open_at(root, name, O_PATH, 0);
	if (seen >= 0 && !fstat(seen, &there) && !fstat(file, &here) && here.st_dev == there.st_dev &&
	    here.st_ino == there.st_ino)
		entry->moved_to = NULL;
}

static int open_by_name(const struct fd_probe *probe, const struct unix_diag *diag, const char *name)
{
	_cleanup_close_ int from = open_at(probe->task->proc.dir, name[0] == '/' ? "root" : "cwd", O_PATH, 0), fd = -1;
	const struct path_roots root = { .root = from, .inside = from };
	struct stat st;

	if (from < 0)
		return from;
	fd = name[0] == '/' ? path_open(&root, PATH_ROOT_MOUNT, name, O_PATH | O_NOFOLLOW) :
			      open_at(from, name, O_PATH | O_NOFOLLOW, 0);
	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return -errno;
	return S_ISSOCK(st.st_mode) && diag->has_vfs && (uint32_t)st.st_ino == diag->vfs_ino &&
			       dev_to_kdev(st.st_dev) == diag->vfs_dev ?
		       steal_fd(&fd) :
		       -ENOENT;
}

/*
 * In a file system that is not ours, the path shown by /proc may lead elsewhere: use the file itself. Only those may open
 * it through the socket who have CAP_NET_ADMIN over its network namespace; for others it must still have its name.
 * -EPERM: a blocker has been added.
 */
static int open_bound_file(struct dump *dump, const struct fd_probe *probe, const struct unix_diag *diag,
			   const char *name)
{
	int file = ioctl(probe->local, SIOCUNIXFILE_);

	if (file >= 0 || errno != EPERM)
		return file < 0 ? -errno : file;
	file = name_waits(dump, probe->task, name) ? -EDEADLK : open_by_name(probe, diag, name);
	if (file >= 0)
		return file;
	dump_blocker(
		dump, probe->task, probe->fd,
		"%s: a unix socket bound to %s, which is not there any more, or is not the socket's; finding its file "
		"%s: close the socket, or run criu as root",
		probe->link, name, rights_text(RIGHT_NET_ADMIN));
	return -EPERM;
}

int unix_save_name(struct dump *dump, const struct fd_probe *probe, const struct unix_diag *diag, UnixSkEntry *entry)
{
	_cleanup_close_ int file = -1;
	char name[UNIX_NAME_MAX + 1];
	int err;

	if (!diag->name_len)
		return 0;
	entry->name.len = diag->name_len;
	entry->name.data = dump_alloc(dump, diag->name_len);
	if (!entry->name.data || diag->name_len > UNIX_NAME_MAX)
		return fail(-ENOMEM, "name of a unix socket");
	memcpy(entry->name.data, diag->name, diag->name_len);
	if (!diag->name[0])
		return 0;
	memcpy(name, diag->name, diag->name_len);
	name[diag->name_len] = 0;
	file = open_bound_file(dump, probe, diag, name);
	if (file == -EPERM)
		return 0;
	if (file < 0)
		return fail(file, "file of the unix socket %s", name);
	err = save_bound_file(dump, probe, file, name, entry);
	if (!err)
		drop_unchanged_path(dump, probe, file, name, entry);
	return err;
}

/* ---- peers ---- */

/* --external unix[INODE], for either end */
static bool is_external(const struct options *opts, uint32_t ino)
{
	char key[2][40];

	snprintf(key[0], sizeof(key[0]), "unix[%u]", ino);
	snprintf(key[1], sizeof(key[1]), "socket:[%u]", ino);
	return external_is_given(opts, key[0]) || external_is_given(opts, key[1]);
}

static bool is_allowed(const struct options *opts, uint32_t ino)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", ino);
	for (size_t i = 0; i < opts->ext_unix_inodes.n; i++)
		if (str_eq(opts->ext_unix_inodes.v[i], text))
			return true;
	return opts->ext_unix_sk && !opts->ext_unix_inodes.n;
}

static int write_external(struct dump *dump, const struct unix_seen *seen, const struct unix_diag *peer)
{
	struct unix_dump *data = *dump_kind_data(dump, &unix_kind);
	UnixSkEntry sk = UNIX_SK_ENTRY__INIT;
	FileEntry entry = FILE_ENTRY__INIT;
	SkOptsEntry opts = SK_OPTS_ENTRY__INIT;
	FownEntry fown = FOWN_ENTRY__INIT;
	struct unix_seen *mark = record_new(&dump->arena, &data->seen, 0, peer->ino, sizeof(*mark));

	if (!mark)
		return fail(-ENOMEM, "unix socket");
	mark->diag = peer;
	entry.type = FD_TYPES__UNIXSK;
	entry.id = sk.id = dump_new_file_id(dump);
	entry.usk = &sk;
	sk.ino = peer->ino;
	sk.type = peer->type;
	sk.state = UNIX_LISTEN;
	sk.uflags = UNIX_EXTERNAL;
	sk.fown = &fown;
	sk.opts = &opts;
	sk.name.data = (uint8_t *)peer->name;
	sk.name.len = peer->name_len;
	sk.has_ns_id = true;
	sk.ns_id = seen->entry->ns_id;
	if (peer->name_len && peer->name[0] && peer->name[0] != '/')
		dump_blocker(
			dump, seen->task, seen->fd,
			"socket:[%u]: its peer outside the tree has the relative name %s, which cannot be resolved at "
			"restore",
			seen->diag->ino, unix_name_text(dump, peer));
	return dump_write_file_entry(dump, &entry);
}

static int check_peer(struct dump *dump, const struct unix_seen *seen)
{
	struct unix_dump *data = *dump_kind_data(dump, &unix_kind);
	const struct options *opts = dump->opts;
	const struct unix_diag *peer;
	uint32_t ino = seen->entry ? seen->entry->peer : 0;

	if (!ino || ino == opts->service_inode || record_find(&data->seen, 0, ino))
		return 0;
	peer = unix_diag_by_inode(data, ino);
	if (is_external(opts, seen->diag->ino))
		return 0;
	if (peer && peer->name_len &&
	    (is_external(opts, ino) || is_allowed(opts, ino) || is_allowed(opts, seen->diag->ino))) {
		if (seen->diag->type != SOCK_DGRAM)
			log_warn("pid %d: fd %d: socket:[%u]: restore will connect it to %s again: data in flight is "
				 "lost",
				 seen->task->t.pid, seen->fd, seen->diag->ino, unix_name_text(dump, peer));
		return write_external(dump, seen, peer);
	}
	dump_blocker(dump, seen->task, seen->fd,
		     "socket:[%u]: its peer socket:[%u] (%s) is outside the tree; dump that process too, or %suse "
		     "--external 'unix[%u]' now and --inherit-fd 'fd[N]:socket:[%u]' at restore",
		     seen->diag->ino, ino, unix_name_text(dump, peer),
		     peer && peer->name_len ? "allow it to be reconnected with --ext-unix-sk (-x), or " : "",
		     seen->diag->ino, seen->diag->ino);
	return 0;
}

int unix_save_end(struct dump *dump)
{
	struct unix_dump *data = *dump_kind_data(dump, &unix_kind);
	int err = 0;

	for (struct record *r = data ? data->seen.first : NULL; r && !err; r = r->next) {
		err = check_peer(dump, (struct unix_seen *)r);
		if (!err)
			err = unix_save_pending(dump, (struct unix_seen *)r);
	}
	if (data) {
		unix_diags_free(data);
		pending_close(data->pending_reader);
	}
	return err;
}
