// SPDX-License-Identifier: GPL-2.0-only
/*
 * Mounts that are attached nowhere: open_tree(2), fsmount(2). One lives as long as the description that those calls return, its
 * keeper, and is saved with that (detached_save.c), if it is a copy of a directory or file that an attached mount of the same namespace
 * shows: a restore copies that again (detached_make.c); or if it shows a file system in memory that no attached mount does. Other files
 * on it have its id and a path in it. What it shows can only be seen by a copy of it that is attached, in a mount namespace of ours: that
 * takes Linux 6.15.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "kernel/fdinfo.h"
#include "kernel/mountinfo.h"
#include "kernel/proc_pid.h"
#include "kinds/fd/regular/detached_internal.h"
#include "kinds/fd/regular/internal.h"
#include "run/external.h"
#include "run/path.h"
#include "util/fds.h"
#include "util/str.h"

#define DETACHED                                                                                 \
	"%s %s a mount that is attached nowhere (open_tree(2), fsmount(2)), or only in a mount " \
	"namespace outside of the tree, and cannot be saved: attach it, or close it%s"

/* ---- its keeper ---- */

/* Another mount, whose keeper has been saved with this file system. */
static const struct detached *find_saved(struct dump *dump, dev_t dev)
{
	for (const struct record *r = regular_dump_data(dump)->detached.first; r; r = r->next)
		if (((const struct detached *)r)->saved_dev == dev)
			return (const struct detached *)r;
	return NULL;
}

static int save_with_keeper(struct dump *dump, const struct subject *s, struct detached *d, DetachedMountEntry **ret)
{
	const struct detached *other;

	if (d->keeper) {
		dump_blocker(
			dump, s->task, s->fd,
			"%s " ROOT_ATTACHED_NOWHERE
			", like descriptor %d of process %d, and it is not known which of them keeps it: close the other one%s",
			s->link, d->keeper_fd, d->keeper->t.host_pid, regular_external_hint(dump, s));
		return 0;
	}
	d->keeper = s->task;
	d->keeper_fd = s->fd;
	other = d->saved || d->is_proc ? find_saved(dump, s->st.st_dev) : NULL;
	if (other) {
		dump_blocker(
			dump, s->task, s->fd,
			"%s " ROOT_ATTACHED_NOWHERE
			", of the same file system as that of descriptor %d of process %d: that is not supported; attach it, or close one of them%s",
			s->link, other->keeper_fd, other->keeper->t.host_pid, regular_external_hint(dump, s));
		return 0;
	}
	d->saved_dev = d->saved || d->is_proc ? s->st.st_dev : 0;
	return detached_save(dump, s, ret);
}

/* ---- files on it ---- */

/* What others are opened from: directories, and references by O_PATH. */
static bool is_place(const struct subject *s)
{
	return S_ISDIR(s->st.st_mode) || s->flags & O_PATH;
}

/*
 * As the mount that the path leads to. For an open file it only matters whether it can be written; for programs and mappings (which may be
 * from before a pivot_root(2)) nothing does.
 */
static bool has_same_flags(const struct dump *dump, const struct subject *s)
{
	const unsigned long matter = is_place(s) ? ~0ul : s->fd >= 0 && S_ISREG(s->st.st_mode) ? ST_RDONLY : 0;
	_cleanup_close_ int fd = path_open(&dump->roots, s->mnt_id, s->link, O_PATH | O_NOFOLLOW);
	struct statvfs is, would_be;

	return fd >= 0 && !fstatvfs(s->local, &is) && !fstatvfs(fd, &would_be) &&
	       !((is.f_flag ^ would_be.f_flag) & matter);
}

static int note(struct dump *dump, struct detached *d, const struct subject *s)
{
	struct noted *file = dump_alloc(dump, sizeof(*file));
	struct noted **end = &d->files;

	if (!file)
		return -ENOMEM;
	*file = (struct noted){ .task = s->task,
				.fd = s->fd,
				.link = dump_strdup(dump, s->link),
				.hint = regular_external_hint(dump, s),
				.dev = s->st.st_dev,
				.ino = s->st.st_ino };
	if (!file->link)
		return -ENOMEM;
	while (*end)
		end = &(*end)->next;
	*end = file;
	return 0;
}

/* The keeper's directory is recognized by that which it is a copy of. */
static const char *why_not(const struct dump *dump, const struct subject *s, const struct statx *sx,
			   const struct detached *d, bool keeps)
{
	if (!s->st.st_nlink || str_has_suffix(s->link, " (deleted)") || is_silly_renamed(s, s->link))
		return "has been removed";
	if (!strcmp(s->link, "/") && !(sx->stx_attributes & STATX_ATTR_MOUNT_ROOT))
		return "has been moved out of it";
	if (dump->opts->tmpfs_files && !d->saved)
		return "would be saved by --tmpfs-files";
	if (d->is_proc && !keeps)
		return "is in a proc that no other mount shows";
	return s->birth || keeps || d->saved ? NULL : "is in a file system without times of creation";
}

static int save_on(struct dump *dump, const struct subject *s, const struct statx *sx, struct detached *d,
		   RegFileEntry *reg)
{
	const bool keeps = s->fd >= 0 && detached_may_keep(s->flags, &s->st, s->link, sx);
	const char *why = why_not(dump, s, sx, d, keeps);

	reg->mnt_id = d->mnt_id;
	reg->name = dump_strdup(dump, s->link);
	if (!reg->name || note(dump, d, s))
		return fail(-ENOMEM, "mounts");
	d->refused |= why != NULL;
	if (why)
		dump_blocker(dump, s->task, s->fd,
			     "%s is on a mount that is attached nowhere, and %s: that is not supported; close it%s",
			     s->link, why, regular_external_hint(dump, s));
	return why || !keeps ? 0 : save_with_keeper(dump, s, d, &reg->detached);
}

int regular_detached(struct dump *dump, const struct subject *s, RegFileEntry *reg)
{
	struct statx sx = { 0 };
	struct detached *d;
	int mounted;

	if (!s->task->ns[NS_MNT] || s->link[0] != '/' || mountinfo_find(&dump->mounts, s->mnt_id) ||
	    statx(s->local, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_MNT_ID, &sx) || !(sx.stx_mask & STATX_MNT_ID))
		return 0;
	mounted = detached_is_mounted(dump, s->task, (int)sx.stx_mnt_id);
	if (mounted)
		return mounted < 0 ? mounted : 0;
	d = detached_find(dump, s, (int)sx.stx_mnt_id);
	if (!d)
		return -ENOMEM;
	/* Nothing of the tree can attach it, so that the same file on another mount is as good. */
	if (!d->alive || (!d->kept && name_leads_to(dump, s, s->link) && has_same_flags(dump, s)))
		return 0;
	return save_on(dump, s, &sx, d->top ?: d, reg) ?: 1;
}

/* ---- at the end ---- */

static void refuse_unkept(struct dump *dump, const struct detached *d)
{
	for (const struct noted *file = d->files; file; file = file->next)
		dump_blocker(
			dump, file->task, file->fd,
			"%s is on a mount that is attached nowhere (open_tree(2), fsmount(2)), and no descriptor of the tree keeps that: attach it, or close it%s",
			file->link, file->hint);
}

/* Of a mount whose root may be a file. */
static int stat_on(const struct path_roots *root, const char *link, struct stat *ret)
{
	if (!strcmp(link, "/"))
		return fstat(root->root, ret);
	return path_stat(root, PATH_ROOT_MOUNT, link, false, ret);
}

/* What has been moved out of the copied directory is shown as its root; what is hidden or replaced has its old name. */
static int check_names(struct dump *dump, const struct detached *d)
{
	_cleanup_close_ int fd = open_fmt(d->keeper->proc.dir, O_PATH | O_CLOEXEC, "fd/%d", d->keeper_fd);
	const struct path_roots roots = { .root = fd, .inside = fd };
	struct stat st;

	if (fd < 0)
		return dump_is_check(dump) ? 0 : fail(fd, "open a mount that is attached nowhere");
	for (const struct noted *file = d->files; file; file = file->next)
		if (stat_on(&roots, file->link, &st) || st.st_dev != file->dev || st.st_ino != file->ino)
			dump_blocker(
				dump, file->task, file->fd,
				"%s is on a mount that is attached nowhere, and not found there by that name: that is not supported; close it%s",
				file->link, file->hint);
	return 0;
}

int regular_detached_end(struct dump *dump)
{
	const struct regular_dump *data = *dump_kind_data(dump, &regular_kind);
	int err = 0;

	for (const struct record *r = data ? data->detached.first : NULL; r && !err; r = r->next) {
		const struct detached *d = (const struct detached *)r;

		if (d->refused || !d->files)
			continue;
		if (!d->keeper)
			refuse_unkept(dump, d);
		else
			err = check_names(dump, d);
	}
	return err;
}

/* ---- those without a keeper, or of older kernels ---- */

/*
 * What /proc shows of a mount that is attached nowhere is a path in it, which may lead to the same file on a mount that is attached:
 * open_tree(2), fsmount(2). It is not told from one of a further mount namespace, where that is no harm.
 */
static int is_detached_mount(const struct dump *dump, const struct subject *s, const char **ret_what)
{
	struct statx sx = { 0 };
	int mounted;

	if (mountinfo_find(&dump->mounts, s->mnt_id))
		return 0;
	if (statx(s->local, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_MNT_ID, &sx) || !(sx.stx_mask & STATX_MNT_ID))
		return 0;
	mounted = detached_is_mounted(dump, s->task, (int)sx.stx_mnt_id);
	if (mounted)
		return mounted < 0 ? mounted : 0;
	*ret_what = "is the root of";
	if (is_place(s) && sx.stx_attributes & STATX_ATTR_MOUNT_ROOT)
		return 1;
	*ret_what = "leads to another mount, with other flags: it is on";
	return name_leads_to(dump, s, s->link) && !has_same_flags(dump, s);
}

int regular_refuse_detached(struct dump *dump, const struct subject *s)
{
	const char *what;
	int is = is_detached_mount(dump, s, &what);

	if (is > 0)
		dump_blocker(dump, s->task, s->fd, DETACHED, s->link, what, regular_external_hint(dump, s));
	return is;
}
