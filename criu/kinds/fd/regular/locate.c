// SPDX-License-Identifier: GPL-2.0-only
/* Decides how a restore finds a file: by its name, in a ghost image, or by another name. */
#include <errno.h>
#include <limits.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>
#include "kernel/mountinfo.h"
#include "kernel/proc_pid.h"
#include "kinds/fd/regular/internal.h"
#include "run/path.h"
#include "util/fds.h"
#include "util/proc_root.h"
#include "util/str.h"

#define DELETED " (deleted)"
#define LINK_NAME_TRIES 1000

/* A file that its name does not lead to, saved once, however many descriptors refer to it. */
struct nameless {
	struct record record; /* device, inode */
	enum { AS_GHOST, AS_LINK, NOT_AT_ALL } how;
	uint32_t remap_id; /* ghost id, or id of the entry with the name of the link */
	const char *link_path; /* AS_LINK: to be removed if the dump fails */
	int mnt_id;
};

static int write_remap(struct dump *dump, uint32_t id, uint32_t remap_id, RemapType type)
{
	RemapFilePathEntry remap = REMAP_FILE_PATH_ENTRY__INIT;
	struct image_writer *img;
	int err = dump_shared_image(dump, IMAGE_REMAP_FPATH, &img);

	if (err)
		return err;
	remap.orig_id = id;
	remap.remap_id = remap_id;
	remap.has_remap_type = true;
	remap.remap_type = type;
	err = image_write_record(img, &remap.base);
	return err < 0 ? fail(err, "%s", image_store_error(dump->dir)) : 0;
}

/* @path comes from the kernel and contains no symbolic links; do not follow any that was created meanwhile. */
static int open_dir(const struct dump *dump, int mnt_id, const char *path)
{
	return path_open_resolving(&dump->roots, mnt_id, *path ? path : "/", O_PATH | O_DIRECTORY, RESOLVE_NO_SYMLINKS);
}

static int link_in_dir(struct dump *dump, const struct subject *s, const char *dir, uint32_t id, const char **ret_path)
{
	_cleanup_close_ int fd = open_dir(dump, s->mnt_id, dir);

	if (fd < 0)
		return fd;
	for (uint32_t n = id; n < id + LINK_NAME_TRIES; n++) {
		char *to = dump_printf(dump, "%s/" LINK_REMAP "%u", dir, n);
		int err = to ? proc_fd_link(s->local, fd, strrchr(to, '/') + 1) : -ENOMEM;

		if (!err)
			*ret_path = to;
		if (err != -EEXIST)
			return err;
	}
	return -EEXIST;
}

/* Creates the name "link_remap.N" for the inode, in the innermost directory of @path that still exists. */
static int make_link_name(struct dump *dump, const struct subject *s, const char *path, uint32_t id,
			  const char **ret_path)
{
	char dir[PATH_MAX];
	int err = str_format(dir, sizeof(dir), "%s", path);

	if (err)
		return err;
	for (char *slash = strrchr(dir, '/'); slash; slash = strrchr(dir, '/')) {
		*slash = 0;
		err = link_in_dir(dump, s, dir, id, ret_path);
		/* A removed directory cannot get new names either: ENOENT. */
		if (err != -ENOENT && err != -ENOTDIR && err != -ELOOP)
			return err;
	}
	return -ENOENT;
}

static int write_link_entry(struct dump *dump, const struct subject *s, const struct nameless *nameless)
{
	FileEntry file = FILE_ENTRY__INIT;
	RegFileEntry reg = REG_FILE_ENTRY__INIT;
	FownEntry fown = FOWN_ENTRY__INIT;

	reg.id = nameless->remap_id;
	reg.fown = &fown;
	reg.name = (char *)nameless->link_path;
	reg.mnt_id = dump_mount_of(dump, s->mnt_id);
	reg.has_mnt_id = true;
	reg.has_mode = true;
	reg.mode = s->st.st_mode;
	regular_note_identity(dump, s, &reg);
	file.type = FD_TYPES__REG;
	file.id = reg.id;
	file.reg = &reg;
	return dump_write_file_entry(dump, &file);
}

static int save_by_link(struct dump *dump, const struct subject *s, const char *path, struct nameless *nameless)
{
	int err;

	if (!dump->opts->link_remap) {
		dump_blocker(dump, s->task, s->fd,
			     "%s was unlinked, but has %lu other name(s); use --link-remap to give it a temporary one",
			     path, (unsigned long)s->st.st_nlink);
		return 0;
	}
	if (dump_is_check(dump))
		return 0;
	nameless->remap_id = dump_new_file_id(dump);
	err = make_link_name(dump, s, path, nameless->remap_id, &nameless->link_path);
	if (err)
		return fail(err, "%s was unlinked: give it a temporary name (--link-remap)", path);
	nameless->how = AS_LINK;
	if (!regular_dump_data(dump)->nr_links++)
		regular_dump_data(dump)->first_link = path;
	log_info("%s is saved as %s", path, nameless->link_path);
	return write_link_entry(dump, s, nameless);
}

static int save_as_ghost(struct dump *dump, const struct subject *s, const char *path, struct nameless *nameless)
{
	const struct ghost_rule rule = { "was unlinked", "--ghost-limit", "--ghost-limit ", dump->opts->ghost_limit };
	int err = ghost_save(dump, s, path, &rule, &nameless->remap_id);

	if (!err && nameless->remap_id)
		nameless->how = AS_GHOST;
	return err;
}

static bool is_device(const struct subject *s)
{
	return (S_ISCHR(s->st.st_mode) || S_ISBLK(s->st.st_mode)) && !(s->flags & O_PATH);
}

#define SYS_DEV "/sys/dev" /* style: the machine's */

/* --evasive-devices: the same device under the name that the kernel has for it. */
static bool find_device(struct dump *dump, const struct subject *s, const char **ret_name)
{
	/* The host's /sys, wherever the tree is. */
	_cleanup_close_ int sys = path_open(&PATH_OWN, PATH_ROOT_MOUNT, SYS_DEV, O_PATH | O_DIRECTORY);
	_cleanup_buf_ struct buf text = { 0 };
	const char *name;
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "%s/%u:%u/uevent", S_ISCHR(s->st.st_mode) ? "char" : "block", major(s->st.st_rdev),
		 minor(s->st.st_rdev));
	name = read_file(sys, path, &text) < 0 || !text.len ? NULL : strstr(text.data, "DEVNAME=");
	if (!name)
		return false;
	name += strlen("DEVNAME=");
	name = dump_printf(dump, "/dev/%.*s", (int)strcspn(name, "\n"), name); /* style: a name in the tree */
	if (!name || path_stat(&dump->roots, PATH_ROOT_MOUNT, name, true, &st) < 0 ||
	    (st.st_mode & S_IFMT) != (s->st.st_mode & S_IFMT) || st.st_rdev != s->st.st_rdev)
		return false;
	log_info("%s is saved as %s, the same device", s->link, name);
	*ret_name = name;
	return true;
}

#define HIDDEN                                                                                                       \
	"%s leads to another file now (something is mounted over it, its mount is detached, or it is on a mount of " \
	"another mount namespace)"

/* A file whose path in /proc leads to another file. */
static int refuse_hidden(struct dump *dump, const struct subject *s, const char *path)
{
	char name[64];

	if (is_device(s) || s->fd < 0) {
		dump_blocker(dump, s->task, s->fd, HIDDEN "%s", path,
			     is_device(s) ? "; --evasive-devices uses another node of the same device" : "");
		return 0;
	}
	regular_external_name(s->local, &s->st, name, sizeof(name));
	dump_blocker(dump, s->task, s->fd,
		     HIDDEN "; --external '%s' leaves it out, to be replaced at restore with --inherit-fd 'fd[N]:%s'",
		     path, name, name);
	return 0;
}

static int save_gone(struct dump *dump, const struct subject *s, const char *path, bool deleted, uint32_t id)
{
	struct regular_dump *data = regular_dump_data(dump);
	struct nameless *nameless = record_find(&data->nameless, s->st.st_dev, s->st.st_ino);
	struct statfs fs;
	int err = 0;

	if (!nameless) {
		nameless = record_new(&dump->arena, &data->nameless, s->st.st_dev, s->st.st_ino, sizeof(*nameless));
		if (!nameless)
			return fail(-ENOMEM, "unlinked file");
		nameless->how = NOT_AT_ALL;
		nameless->mnt_id = s->mnt_id;
		if ((!deleted && s->st.st_nlink) || (!fstatfs(s->local, &fs) && fs.f_type == PROC_SUPER_MAGIC))
			err = refuse_hidden(dump, s, path);
		else if (s->st.st_nlink == 0 || S_ISDIR(s->st.st_mode) || is_silly_renamed(s, path))
			err = save_as_ghost(dump, s, path, nameless);
		else
			err = save_by_link(dump, s, path, nameless);
	}
	if (err || nameless->how == NOT_AT_ALL)
		return err;
	return write_remap(dump, id, nameless->remap_id,
			   nameless->how == AS_GHOST ? REMAP_TYPE__GHOST : REMAP_TYPE__LINKED);
}

static int save_of_gone_task(struct dump *dump, const struct subject *s, const struct proc_path *p, const char *path,
			     uint32_t id)
{
	int err = proc_file_check_gone(dump, s, p, path);

	return err || dump_is_check(dump) ? err : write_remap(dump, id, (uint32_t)p->pid, REMAP_TYPE__PROCFS);
}

int regular_name(struct dump *dump, const struct subject *s, uint32_t id, const char **ret_name)
{
	size_t len = strlen(s->link);
	bool deleted = false;
	struct proc_path p;
	char *name;
	int err;

	if (s->link[0] != '/') {
		dump_blocker(dump, s->task, s->fd, "%s has no path (in a detached mount?)", s->link);
		*ret_name = "/";
		return 0;
	}
	name = dump_strdup(dump, s->link);
	if (!regular_dump_data(dump) || !name)
		return fail(-ENOMEM, "name of a file");
	*ret_name = name;
	err = regular_refuse_detached(dump, s);
	if (err)
		return err < 0 ? err : 0;
	if (name_leads_to(dump, s, name) && !is_silly_renamed(s, name)) {
		proc_file_check(dump, s, name);
		return 0;
	}
	if (str_has_suffix(name, DELETED) && len > strlen(DELETED) + 1) {
		name[len - strlen(DELETED)] = 0;
		deleted = true;
		/* Linked again under its old name. */
		if (name_leads_to(dump, s, name))
			return 0;
	}
	if (proc_file_is_gone(dump, s, name, &p))
		return save_of_gone_task(dump, s, &p, name, id);
	if (deleted) {
		const char *other;

		err = tmpfs_other_name(dump, s, name, &other);
		if (other)
			*ret_name = other;
		if (err || other)
			return err;
	}
	if (dump->opts->evasive_devices && is_device(s) && find_device(dump, s, ret_name))
		return 0;
	return save_gone(dump, s, name, deleted || is_silly_renamed(s, name), id);
}

static int remove_link_name(const struct dump *dump, const struct nameless *nameless)
{
	char dir[PATH_MAX], *name;
	_cleanup_close_ int fd = -1;
	struct stat st;
	int err = str_format(dir, sizeof(dir), "%s", nameless->link_path);

	if (err)
		return err;
	name = strrchr(dir, '/');
	*name++ = 0;
	fd = open_dir(dump, nameless->mnt_id, dir);
	if (fd < 0)
		return fd;
	if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || st.st_dev != nameless->record.a ||
	    st.st_ino != nameless->record.b)
		return 0;
	return unlinkat(fd, name, 0) < 0 ? -errno : 0;
}

void regular_save_undo(struct dump *dump)
{
	struct regular_dump *data = *dump_kind_data(dump, &regular_kind);

	for (struct record *r = data ? data->nameless.first : NULL; r; r = r->next) {
		const struct nameless *nameless = (struct nameless *)r;
		int err = nameless->link_path ? remove_link_name(dump, nameless) : 0;

		if (err && err != -ENOENT)
			log_warn("temporary name %s could not be removed: %s", nameless->link_path, strerror(-err));
	}
}

void regular_links_saved(struct dump *dump)
{
	const struct regular_dump *data = *dump_kind_data(dump, &regular_kind);

	if (!data || !data->nr_links)
		return;
	if (data->nr_links == 1)
		log_notice("%s has a temporary name (--link-remap), which the restore removes: it works once",
			   data->first_link);
	else
		log_notice("%s and %zu other files have temporary names (--link-remap), which the restore removes: it "
			   "works once",
			   data->first_link, data->nr_links - 1);
}
