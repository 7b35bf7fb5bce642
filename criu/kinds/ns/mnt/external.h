/* SPDX-License-Identifier: GPL-2.0-only */
/* What --external mnt[...], dev[...] and --ext-mount-map say about mounts. */
#pragma once
#include <stdbool.h>
#include "run/options.h"
#include "util/str.h"

/* Dump: mnt[MOUNTPOINT]:KEY; NULL: it is not external. */
const char *external_mount_key(const struct options *opts, const char *mountpoint);
/* Dump: dev[MAJOR/MINOR]:KEY */
const char *external_device_key(const struct options *opts, unsigned major, unsigned minor);
/* Restore: mnt[KEY]:PATH, dev[KEY]:PATH; NULL: not given. */
const char *external_mount_path(const struct options *opts, const char *key);
const char *external_device_path(const struct options *opts, const char *key);
/* overlay[DIR]:OTHER: 1: *ret_path is where @path is then; 0: it stays; -ENOMEM. The longest DIR that it is below counts. */
int external_overlay_path(const struct options *opts, const char *path, struct buf *ret_path);
/* mnt[], mnt[]:m, mnt[]:s: what matches the tool's own mounts is external. */
bool external_mounts_found(const struct options *opts);
/* Are mounts that are shared with ones outside of the tree accepted? */
bool external_sharing(const struct options *opts);
