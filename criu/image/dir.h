/* SPDX-License-Identifier: GPL-2.0-only */
/* A store (image/store.h) in a directory, one file per image. */
#pragma once
#include <stdbool.h>
#include <sys/types.h>

#include "image/store.h"

/*
 * The object is owned by the caller, and closed with image_store_close(). If opening by path fails, there is no object
 * with an error text.
 */
int image_dir_open(const char *path, struct image_store **ret_store);
/* By descriptor, which remains the caller's. */
int image_dir_open_fd(int fd, struct image_store **ret_store);
/*
 * From now on, only regular files owned by @owner or root are opened in it, and no links; all but pages are copied,
 * each once, so that nobody can change them any more. -EACCES: the directory is owned by another user.
 */
int image_dir_distrust(struct image_store *store, uid_t owner);
/*
 * Images that this process may not open are opened by @open, which returns a descriptor or a negative errno; also those of
 * parents, whose directories are opened now. 0 or a negative errno, with a text.
 */
int image_dir_open_elsewhere(struct image_store *store, int (*open)(void *arg, int dir, const char *name), void *arg);
/* These two have no effect, and no result, with other stores. Is @fd the directory of the store or of one of its parents? */
bool image_dir_has_fd(struct image_store *store, int fd);
