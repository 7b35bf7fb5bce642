/* SPDX-License-Identifier: GPL-2.0-only */
/* Shared by the files of --untrusted-images: the user's account, and the tool's own rights. */
#pragma once
#include <linux/capability.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include "run/caps.h"

struct restore;

struct untrusted {
	uid_t uid;
	gid_t gid; /* from passwd(5), as are the groups: initgroups(3) */
	gid_t *groups;
	size_t nr_groups;
	/* Our own, to be restored. */
	uid_t own_uid[3];
	gid_t own_gid[3];
	gid_t *own_groups;
	size_t nr_own_groups;
	struct caps own_caps;
	int dumpable;
	int *fds; /* open before the run; without those that the caller passes to the tree */
	size_t nr_fds;
	int task_log; /* a memory file */
	off_t collected; /* bytes of it copied to the log */
	bool given_up;
};

int untrusted_find_user(struct restore *r, struct untrusted *u);
