/* SPDX-License-Identifier: GPL-2.0-only */
/* Mounts and file systems of mount namespaces, as the images describe them: for a dump and a restore. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "mnt.pb-c.h"

struct fs_type;
struct mount_info;

/* A file system: what all mounts with the same device number show. It has one content, whatever number of mounts. */
struct mount_fs {
	struct mount_fs *next;
	uint32_t dev; /* root_dev of the images */
	const struct fs_type *type; /* NULL: it comes from outside (the root, an external mount) */
	struct mount *whole; /* the first mount of all of it; NULL: it comes from outside */
	int fd; /* restore: a mount of all of it, attached nowhere; -1: none */
	void *data; /* private to the type */
};

struct mount {
	MntEntry *entry; /* its record in the images */
	const struct mount_info *info; /* dump: where the record comes from */
	struct mount_fs *fs;
	struct mount *parent; /* NULL: the root of the namespace */
	struct mount *children, *sibling; /* the deeper mount point first: a shorter one may cover it */
	int fd; /* restore: of its root directory or file (O_PATH); -1: not created yet */
	bool deferred; /* restore: it needs the pid namespace, or lies below one that does */
};

/* kind_data of one mount namespace: ns->data */
struct mounts {
	struct mount *v; /* in the order of the images */
	size_t n;
	struct mount *root;
};
