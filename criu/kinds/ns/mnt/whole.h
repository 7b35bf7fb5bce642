/* SPDX-License-Identifier: GPL-2.0-only */
/* File systems as a whole, in the mount namespace of this process. */
#pragma once

struct mount;

/*
 * Dump: the root directory of a mount, to be read, without what is mounted on it, even if it is hidden by another mount.
 * -errno; not logged.
 */
int mount_open_whole(const struct mount *mount);
/* No mount of this namespace is a peer or slave of another any more. -errno; not logged. */
int mounts_make_private(void);
/* What happens in this namespace is not propagated to others; copies are still slaves of what was shared. */
int mounts_keep_apart(void);
