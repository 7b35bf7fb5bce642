/* SPDX-License-Identifier: GPL-2.0-only */
/* What mountinfo does not show of a mount. statmount(2), listmount(2) */
#pragma once
#include "kernel/id_map.h"

/*
 * The maps of an idmapped mount of our mount namespace, with @mnt_id as in mountinfo; outer ids are those of our user
 * namespace. -EOPNOTSUPP: the kernel cannot tell; -ENOENT: there is no such mount.
 */
int statmount_id_maps(int mnt_id, struct id_map *ret_uids, struct id_map *ret_gids);
