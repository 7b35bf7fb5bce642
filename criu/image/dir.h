/* SPDX-License-Identifier: GPL-2.0-only */
/* A store (image/store.h) in a directory, one file an image. */
#pragma once
#include <sys/types.h>

#include "image/store.h"

/* The object is the caller's, to be closed with image_store_close(). Opening by path fails with no object to ask why. */
int image_dir_open(const char *path, struct image_store **ret_store);
/* By a descriptor of it, which stays the caller's. */
int image_dir_open_fd(int fd, struct image_store **ret_store);
/*
 * Only regular files of @owner's or root's are opened in it from now on, no links; all but pages are copied, each once, so
 * that nobody can change them any more. -EACCES: the directory is somebody else's.
 */
int image_dir_distrust(struct image_store *store, uid_t owner);
