// SPDX-License-Identifier: GPL-2.0-only
/* What a mount that is attached nowhere, or one that is mounted in it, can be copied from: an attached mount of the same namespace. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include "base/bits.h"
#include "base/cleanup.h"
#include "kernel/device.h"
#include "kernel/mountinfo.h"
#include "kinds/fd/regular/detached_internal.h"
#include "kinds/fd/regular/internal.h"
#include "run/path.h"
#include "run/trusted_path.h"
#include "util/fds.h"
#include "util/hash.h"
#include "util/str.h"

#ifndef MOUNT_ATTR_NOSYMFOLLOW
#define MOUNT_ATTR_NOSYMFOLLOW 0x00200000
#endif

bool detached_attributes(const char *options, uint64_t *ret)
{
	static const struct {
		const char *word;
		uint64_t attribute;
	} known[] = {
		{ "rw", 0 },
		{ "ro", MOUNT_ATTR_RDONLY },
		{ "nosuid", MOUNT_ATTR_NOSUID },
		{ "nodev", MOUNT_ATTR_NODEV },
		{ "noexec", MOUNT_ATTR_NOEXEC },
		{ "nodiratime", MOUNT_ATTR_NODIRATIME },
		{ "nosymfollow", MOUNT_ATTR_NOSYMFOLLOW },
		{ "noatime", MOUNT_ATTR_NOATIME },
		{ "relatime", MOUNT_ATTR_RELATIME },
		{ "idmapped", 0 },
	};
	bool has_atime = false;

	*ret = 0;
	for (const char *word = options; *word;) {
		size_t len = strcspn(word, ","), i = 0;

		while (i < ARRAY_SIZE(known) && (strncmp(word, known[i].word, len) != 0 || known[i].word[len]))
			i++;
		if (i == ARRAY_SIZE(known))
			return false;
		*ret |= known[i].attribute;
		has_atime |= str_has_prefix(word, "relatime") || str_has_prefix(word, "noatime");
		word += len + (word[len] == ',');
	}
	if (!has_atime)
		*ret |= MOUNT_ATTR_STRICTATIME;
	return true;
}

bool detached_is_idmapped(const struct mount_info *is)
{
	return strstr(is->options, "idmapped") != NULL;
}

/* What mount_setattr(2) is to make of a copy of @source; 0: nothing. False: that cannot be done. */
static bool find_propagation(const struct mount_info *source, const struct mount_info *is, int *ret)
{
	*ret = 0;
	if (is->unbindable)
		return false;
	if (!is->shared_id && !is->master_id)
		*ret = MS_PRIVATE;
	else if (is->shared_id != source->shared_id || is->master_id != source->master_id)
		*ret = MS_SLAVE;
	return *ret != MS_SLAVE || (!is->shared_id && is->master_id == source->shared_id);
}

/* The path that leads through @mount to @root of its file system; NULL: none. */
static char *path_through(struct dump *dump, const struct mount_info *mount, const char *root)
{
	const char *base = strcmp(mount->root, "/") != 0 ? mount->root : "";
	const char *point = strcmp(mount->mountpoint, "/") != 0 ? mount->mountpoint : "";
	const char *rest = root + strlen(base);

	if (!str_has_prefix(root, base) || (*rest && *rest != '/'))
		return NULL;
	rest = strcmp(rest, "/") != 0 ? rest : "";
	return dump_printf(dump, "%s%s%s", point, rest, *point || *rest ? "" : "/");
}

static int path_flags(const struct subject *s)
{
	return O_PATH | O_NOFOLLOW | (S_ISDIR(s->st.st_mode) ? O_DIRECTORY : 0);
}

/* An O_PATH descriptor of it, if it is the directory or file @s, and on that mount; or -errno. */
static int open_through(const struct dump *dump, const struct subject *s, const struct mount_info *mount,
			const char *path)
{
	_cleanup_close_ int fd = path_open(&dump->roots, mount->mnt_id, path, (unsigned)path_flags(s));
	struct statx sx;
	struct stat st;

	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0 || statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &sx) < 0)
		return -errno;
	return st.st_dev == s->st.st_dev && st.st_ino == s->st.st_ino && (int)sx.stx_mnt_id == mount->mnt_id ?
		       steal_fd(&fd) :
		       -ENOENT;
}

struct source {
	int fd; /* O_PATH; -1: there is none */
	int mnt_id;
	const char *path;
	int propagation;
};

static int find_source(struct dump *dump, const struct subject *s, const struct mount_info *is, struct source *ret)
{
	const struct mount_info *m;

	array_for_each(m, &dump->mounts) {
		const char *path;
		int propagation;

		/* A copy of an idmapped one would have its maps. */
		if (ret->fd >= 0 || detached_is_idmapped(m) || !find_propagation(m, is, &propagation) ||
		    m->ns != s->task->ns[NS_MNT]->id || m->dev_major != is->dev_major || m->dev_minor != is->dev_minor)
			continue;
		path = path_through(dump, m, is->root);
		if (path)
			*ret = (struct source){ open_through(dump, s, m, path), m->mnt_id, path, propagation };
	}
	return ret->fd;
}

/* A file system of the tree's own gets other inodes: it is recognized only by its path. */
static bool is_certain(const struct dump *dump, const struct subject *s, const struct source *source)
{
	char why[TRUST_WHY_MAX] = "";
	uint64_t any;
	int fd;

	if (s->birth && !hash_get(&dump->saved_fs, kdev_make(major(s->st.st_dev), minor(s->st.st_dev)), &any))
		return true;
	fd = trusted_path_open(NULL, path_from(&dump->roots, source->mnt_id, source->path), false, why);
	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

int detached_find_source(struct dump *dump, const struct subject *s, const struct mount_info *is,
			 struct detached_part *ret)
{
	struct source source = { .fd = -1 };
	struct dump_path path = { .task = s->task, .flags = (unsigned)path_flags(s) };
	int err = 0;

	if (find_source(dump, s, is, &source) < 0)
		ret->why = dump_printf(
			dump,
			"of a file system of type %s, and no attached mount of its namespace shows the same file or directory (in the same peer group)",
			is->fstype);
	else if (!is_certain(dump, s, &source))
		ret->why = "and others than root could put another one in the place of the one that it is a copy of";
	path.local = source.fd;
	path.link = source.path;
	if (!ret->why)
		err = dump->path_file_id(dump, &path, &ret->source_id);
	if (source.fd >= 0)
		close(source.fd);
	ret->propagation = source.propagation ?: ret->has_parts ? MS_SLAVE : 0;
	return err;
}
