// SPDX-License-Identifier: GPL-2.0-only
/*
 * Files with a name in a tmpfs (/dev/shm: shm_open(3), sem_open(3)), which are lost by a reboot. --tmpfs-files copies
 * them into the images; a restore uses the copies if the files are missing (tmpfs_make.c).
 */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>
#include "kernel/device.h"
#include "kinds/fd/regular/internal.h"
#include "kinds/kinds.h"
#include "run/path.h"
#include "util/fds.h"
#include "util/str.h"

/* Whether files on a device are lost by a reboot. */
struct volatile_dev {
	struct record record;
	bool is_tmpfs;
};

/* A file saved by --tmpfs-files, once, however many descriptors refer to it. */
struct saved_inode {
	struct record record; /* device, inode */
	uint32_t ghost_id; /* 0: not saved */
};

/* A process whose root is a tmpfs has nothing to be restored in after a reboot anyway. */
static bool is_tmpfs(const struct dump *dump, const struct subject *s)
{
	struct statfs fs;
	struct stat root;

	return !fstatfs(s->local, &fs) && fs.f_type == TMPFS_MAGIC &&
	       !path_stat(&dump->roots, PATH_ROOT_MOUNT, "/", true, &root) && root.st_dev != s->st.st_dev;
}

static int check_dev(struct dump *dump, const struct subject *s, bool *ret)
{
	struct regular_dump *data = regular_dump_data(dump);
	struct volatile_dev *dev = record_find(&data->devs, 0, s->st.st_dev);

	if (!dev) {
		dev = record_new(&dump->arena, &data->devs, 0, s->st.st_dev, sizeof(*dev));
		if (!dev)
			return fail(-ENOMEM, "file systems");
		dev->is_tmpfs = is_tmpfs(dump, s);
	}
	*ret = dev->is_tmpfs;
	return 0;
}

/*
 * sem_open(3) maps a semaphore under a temporary name before it links its real one: to the kernel it is an unlinked
 * file. The name by which others find it is in the same directory.
 */
int tmpfs_other_name(struct dump *dump, const struct subject *s, const char *path, const char **ret)
{
	const char *slash = strrchr(path, '/');
	bool in_tmpfs = false;
	struct dirent *entry;
	int err = 0;

	*ret = NULL;
	if (!dump->opts->tmpfs_files || !S_ISREG(s->st.st_mode) || !s->st.st_nlink)
		return 0;
	err = check_dev(dump, s, &in_tmpfs);
	char *dir = err || !in_tmpfs ? NULL : dump_printf(dump, "%.*s", (int)(slash - path), path);
	DIR *names = dir ? path_opendir(&dump->roots, s->mnt_id, dir) : NULL;
	while (names && !*ret && (entry = readdir(names))) {
		const char *name = entry->d_ino == s->st.st_ino ? dump_printf(dump, "%s/%s", dir, entry->d_name) : NULL;

		if (name && name_leads_to(dump, s, name))
			*ret = name;
	}
	if (names)
		closedir(names);
	return err;
}

static int dir_head(struct dump *dump, const struct stat *st, GhostFileEntry **ret)
{
	GhostFileEntry *head = dump_alloc(dump, sizeof(*head));
	Timeval *times = dump_alloc(dump, 2 * sizeof(*times));

	if (!head || !times)
		return -ENOMEM;
	ghost_file_entry__init(head);
	ghost_head_of(dump, st, head, times);
	*ret = head;
	return 0;
}

/* The directories between the root of the mount and the file are lost, too. */
static int save_dirs(struct dump *dump, const struct subject *s, RegFileEntry *reg)
{
	char path[PATH_MAX], *slash;
	size_t n = 0, depth = 0;
	struct stat st;
	int err = str_format(path, sizeof(path), "%s", reg->name);

	if (err)
		return err;
	for (const char *c = reg->name; *c; c++)
		depth += *c == '/';
	GhostFileEntry **heads = dump_alloc(dump, (depth + 1) * sizeof(*heads));
	if (!heads)
		return -ENOMEM;
	/* From the innermost outwards; the outermost is the mount's own root. */
	while (!err && (slash = strrchr(path, '/')) && slash != path) {
		*slash = 0;
		if (path_stat(&dump->roots, s->mnt_id, path, false, &st) < 0 || st.st_dev != s->st.st_dev ||
		    !S_ISDIR(st.st_mode))
			break;
		err = dir_head(dump, &st, &heads[n++]);
	}
	n -= n > 0;
	for (size_t i = 0; i < n / 2; i++) {
		GhostFileEntry *swap = heads[i];

		heads[i] = heads[n - 1 - i];
		heads[n - 1 - i] = swap;
	}
	reg->kept_dirs = heads;
	reg->n_kept_dirs = n;
	return err;
}

static int save_copy(struct dump *dump, const struct subject *s, const char *name, struct saved_inode *saved)
{
	const struct ghost_rule rule = { "is in a tmpfs", "--tmpfs-files", "--tmpfs-files=", dump->opts->tmpfs_limit };

	return ghost_save(dump, s, name, &rule, &saved->ghost_id);
}

static bool can_be_saved(mode_t mode)
{
	return S_ISREG(mode) || S_ISDIR(mode) || S_ISFIFO(mode);
}

/* Whether @name is the root of its mount, which is created by mounting it. */
static bool is_mount_root(const struct dump *dump, const struct subject *s, const char *name)
{
	char path[PATH_MAX], *slash;
	struct stat st;

	if (!S_ISDIR(s->st.st_mode) || str_format(path, sizeof(path), "%s", name) || !(slash = strrchr(path, '/')))
		return false;
	slash[slash == path] = 0;
	return !path_stat(&dump->roots, PATH_ROOT_MOUNT, path, false, &st) && st.st_dev != s->st.st_dev;
}

/* With the rest of its file system. */
static bool is_saved_elsewhere(const struct dump *dump, const struct subject *s)
{
	uint64_t any;

	return hash_get(&dump->saved_fs, kdev_make(major(s->st.st_dev), minor(s->st.st_dev)), &any);
}

int tmpfs_file_save(struct dump *dump, const struct subject *s, RegFileEntry *reg)
{
	struct regular_dump *data = regular_dump_data(dump);
	bool in_tmpfs = false;
	int err = can_be_saved(s->st.st_mode) ? check_dev(dump, s, &in_tmpfs) : 0;

	if (err || !in_tmpfs || is_saved_elsewhere(dump, s) || !name_leads_to(dump, s, reg->name) ||
	    is_mount_root(dump, s, reg->name))
		return err;
	struct saved_inode *saved = record_find(&data->saved, s->st.st_dev, s->st.st_ino);
	if (!saved) {
		saved = record_new(&dump->arena, &data->saved, s->st.st_dev, s->st.st_ino, sizeof(*saved));
		if (!saved)
			return fail(-ENOMEM, "files in a tmpfs");
		if (S_ISREG(s->st.st_mode) && !data->nr_lost++)
			data->first_lost = reg->name;
		if (dump->opts->tmpfs_files)
			err = save_copy(dump, s, reg->name, saved);
	}
	if (err || !saved->ghost_id)
		return err;
	reg->has_kept = true;
	reg->kept = saved->ghost_id;
	err = save_dirs(dump, s, reg);
	return err ? fail(err, "directories of %s", reg->name) : 0;
}

void tmpfs_files_saved(struct dump *dump)
{
	const struct regular_dump *data = *dump_kind_data(dump, &regular_kind);

	if (!data || !data->nr_lost || dump->opts->tmpfs_files)
		return;
	if (data->nr_lost == 1)
		log_notice("%s is in a tmpfs and will not survive a reboot; --tmpfs-files saves it in the images",
			   data->first_lost);
	else
		log_notice("%s and %zu other file%s are in a tmpfs and will not survive a reboot; --tmpfs-files saves "
			   "them in the images",
			   data->first_lost, data->nr_lost - 1, data->nr_lost == 2 ? "" : "s");
}
