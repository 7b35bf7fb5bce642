// SPDX-License-Identifier: GPL-2.0-only
/* New file systems. fsopen(2), fsconfig(2), fsmount(2) */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "kinds/ns/mnt/fs_type.h"
#include "kinds/ns/mnt/options.h"
#include "kinds/ns/mnt/restore.h"
#include "util/fds.h"
#include "util/log.h"

#define MQUEUE_MAGIC 0x19800202

/* What security modules add to the options that they show. */
static const char *const of_modules[] = { "seclabel", NULL };

static bool is_one_of(const char *const *words, const char *word)
{
	for (; words && *words; words++)
		if (!strcmp(*words, word))
			return true;
	return false;
}

static int fail_fs(int fs, int err, const struct mount *mount, const char *what)
{
	char why[512] = "";
	ssize_t len = read(fs, why, sizeof(why) - 1);

	/* "e tmpfs: Bad value for 'size'" */
	while (len > 0 && why[len - 1] == '\n')
		len--;
	why[len > 0 ? len : 0] = 0;
	return fail(err, "mount %s: %s%s%s", MOUNT_NAME(mount), what, len > 2 ? ": " : "", len > 2 ? why + 2 : "");
}

#define INODES "nr_inodes"

/* The limit of a tmpfs, until mount_settle_fs(). */
static int set_inodes(int fs, const struct mount *mount, const char *value)
{
	char text[32], *end;
	unsigned long long nr = strtoull(value, &end, 10);

	/* 0: no limit; other formats than that of mountinfo are not ours. */
	if (nr && !*end && str_format(text, sizeof(text), "%llu", nr + mount->fs->spare_inodes) == 0)
		value = text;
	return fsconfig(fs, FSCONFIG_SET_STRING, INODES, value, 0) < 0 ? fail_fs(fs, -errno, mount, INODES) : 0;
}

/* As fsconfig(2) takes it: without quotes. */
static char *label_value(const struct mount *mount, const char *name, char *value)
{
	size_t len = strlen(value);

	if (mount->fs->context && !strcmp(name, "context"))
		return (char *)mount->fs->context;
	if (len < 2 || value[0] != '"' || value[len - 1] != '"')
		return value;
	value[len - 1] = 0;
	return value + 1;
}

static int set_option(int fs, const struct mount *mount, char *word)
{
	const bool is_label = mount_option_is_label(word);
	char *value = strchr(word, '=');

	if (is_one_of(of_modules, word) || is_one_of(mount->fs->type ? mount->fs->type->not_options : NULL, word))
		return 0;
	if (value)
		*value++ = 0;
	if (value && is_label)
		value = label_value(mount, word, value);
	if (value && mount->fs->spare_inodes && !strcmp(word, INODES))
		return set_inodes(fs, mount, value);
	if (fsconfig(fs, value ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG, word, value, 0) < 0)
		return fail_fs(fs, -errno, mount, word);
	return 0;
}

static int set_options(int fs, const struct mount *mount, const char *options)
{
	char *text = strdup(options), *word = text;
	int err = text ? 0 : -ENOMEM;

	while (!err && *word) {
		char *end = word + mount_option_len(word), *next = end + (*end == ',');

		*end = 0;
		if (*word)
			err = set_option(fs, mount, word);
		word = next;
	}
	free(text);
	return err;
}

static int set_flags(int fs, const struct mount *mount, uint32_t flags)
{
	static const struct {
		uint32_t flag;
		const char *word;
	} words[] = {
		{ MNT_FLAG_RDONLY, "ro" },	 { MNT_FLAG_SYNC, "sync" },
		{ MNT_FLAG_NODEV, "sync" }, /* a mistake in CRIU 4.2 */
		{ MNT_FLAG_DIRSYNC, "dirsync" }, { MNT_FLAG_LAZYTIME, "lazytime" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (flags & words[i].flag && fsconfig(fs, FSCONFIG_SET_FLAG, words[i].word, NULL, 0) < 0)
			return fail_fs(fs, -errno, mount, words[i].word);
	return 0;
}

/* @source: a device; NULL: the text of the images. */
static int configure(int fs, const struct mount *mount, const char *options)
{
	const char *source = mount->source ?: mount->entry->source;
	uint32_t flags = mount->entry->has_sb_flags ? mount->entry->sb_flags : 0;
	int err;

	if (*source && fsconfig(fs, FSCONFIG_SET_STRING, "source", source, 0) < 0)
		return fail_fs(fs, -errno, mount, source);
	/* Mount points may have to be created on it, and its content. */
	if (mount->fs->type && mount->fs->type->fill)
		flags &= ~(uint32_t)MNT_FLAG_RDONLY;
	err = mount->fs->type && mount->fs->type->no_options ? 0 : set_options(fs, mount, options);
	return err || (mount->fs->type && mount->fs->type->of_host) ? err : set_flags(fs, mount, flags);
}

int mount_create_fs(const struct mount *mount, const char *options)
{
	const struct fs_type *type = mount->fs->type;
	const char *name = type && *type->name ? type->name : mount->entry->fsname; /* --enable-fs: of the images */
	_cleanup_close_ int fs = fsopen(name, FSOPEN_CLOEXEC);
	int fd, err;

	if (fs < 0)
		return fail(-errno, "mount %s: file system type %s", MOUNT_NAME(mount), name);
	err = configure(fs, mount, options ?: mount->entry->options);
	if (err)
		return err;
	if (fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return fail_fs(fs, -errno, mount, name);
	/*
	 * In a user namespace proc and sysfs must be mounted as restricted as what is visible of them. Others may need mount
	 * points, and content.
	 */
	fd = fsmount(fs, FSMOUNT_CLOEXEC,
		     type && (type->of_pid_ns || type->single) ? (unsigned)mount_attributes(mount->entry->flags) : 0);
	return fd < 0 ? fail_fs(fs, -errno, mount, name) : fd;
}

static const char *name_of_single(int fd)
{
	struct statfs fs;

	if (fstatfs(fd, &fs) < 0)
		return NULL;
	return fs.f_type == SYSFS_MAGIC ? "sysfs" : fs.f_type == MQUEUE_MAGIC ? "mqueue" : NULL;
}

static bool is_same_fs(int a, int b)
{
	struct stat sa, sb;

	return !fstat(a, &sa) && !fstat(b, &sb) && sa.st_dev == sb.st_dev;
}

int mount_create_again(const struct mount *mount, int like)
{
	const char *name = name_of_single(like), *source = mount->entry->source;

	if (!name || strcmp(mount->entry->root, "/") || !*source)
		return -EINVAL;
	_cleanup_close_ int fs = fsopen(name, FSOPEN_CLOEXEC), fd = -1;
	if (fs < 0 || fsconfig(fs, FSCONFIG_SET_STRING, "source", source, 0) < 0 ||
	    fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return -errno;
	fd = fsmount(fs, FSMOUNT_CLOEXEC, (unsigned)mount_attributes(mount->entry->flags));
	if (fd < 0)
		return -errno;
	return is_same_fs(fd, like) ? steal_fd(&fd) : -EXDEV;
}

int mount_settle_fs(const struct mount *mount)
{
	const MntEntry *e = mount->entry;
	bool read_only = mount->fs->type && mount->fs->type->fill && e->has_sb_flags && e->sb_flags & MNT_FLAG_RDONLY;
	_cleanup_free_ char *inodes = NULL;
	_cleanup_close_ int fs = -1;

	if (mount->fs->spare_inodes)
		inodes = mount_option_value(e->options, INODES);
	if (!read_only && !inodes)
		return 0;
	fs = fspick(mount->fd, "", FSPICK_CLOEXEC | FSPICK_EMPTY_PATH);
	if (fs < 0)
		return fail(-errno, "mount %s: fspick", MOUNT_NAME(mount));
	if ((inodes && fsconfig(fs, FSCONFIG_SET_STRING, INODES, inodes, 0) < 0) ||
	    (read_only && fsconfig(fs, FSCONFIG_SET_FLAG, "ro", NULL, 0) < 0) ||
	    fsconfig(fs, FSCONFIG_CMD_RECONFIGURE, NULL, NULL, 0) < 0)
		return fail_fs(fs, -errno, mount, read_only ? "make it read-only" : "set its limit of inodes");
	return 0;
}
