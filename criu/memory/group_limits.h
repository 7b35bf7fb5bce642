/* SPDX-License-Identifier: GPL-2.0-only */
/* The memory limits of control groups, of both versions. cgroups(7), Documentation/admin-guide/cgroup-v2.rst of the kernel */
#pragma once
#include <stdbool.h>
#include <stdint.h>

/* A group that processes are in, or, unless @exact, whose descendants they are in. */
struct limited_group {
	int root; /* the directory of its hierarchy */
	bool v2;
	bool exact;
	const char *path; /* in it, starts with a slash */
};

/* Which limit is in the way. */
struct group_shortage {
	char path[4096]; /* of the group that has it */
	const char *file;
	uint64_t limit, used; /* what is used cannot be freed */
	uint64_t room; /* with what can be swapped out */
};

/* Has a group, or one above it, certainly less room than @needed bytes? @swap: what is free of the machine's. */
bool group_is_short(const struct limited_group *group, uint64_t needed, uint64_t swap, struct group_shortage *ret);
/* How much more they may use, in the best case, without swap; UINT64_MAX: there is no limit. */
uint64_t group_room(const struct limited_group *group);
