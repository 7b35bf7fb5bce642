/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files of --untrusted-images share: the user as the machine knows him, and the tool's own rights. */
#pragma once
#include <linux/capability.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include "run/caps.h"

struct restore;

struct untrusted {
	uid_t uid;
	gid_t gid; /* of passwd(5), as are the groups: initgroups(3) */
	gid_t *groups;
	size_t nr_groups;
	/* Our own, to come back to. */
	uid_t own_uid[3];
	gid_t own_gid[3];
	gid_t *own_groups;
	size_t nr_own_groups;
	struct caps own_caps;
	int dumpable;
	int *fds; /* that were open before; not those that the caller gives to the tree */
	size_t nr_fds;
	int task_log; /* a file in memory */
	off_t collected; /* of it */
	bool given_up;
};

int untrusted_find_user(struct restore *r, struct untrusted *u);
