/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Properties of groups: which files are saved, and how their values are written back. cgroups(7),
 * Documentation/admin-guide/cgroup-v1 and cgroup-v2 of the kernel
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

struct cg_hierarchy;

/*
 * The files to save, in the order in which they are restored: calls @fn with each name that this hierarchy may have,
 * until it returns an error. A name may be a pattern: fnmatch(3).
 */
int cg_each_property(const struct cg_hierarchy *h, int (*fn)(void *arg, const char *name), void *arg);
/* Only permissions and owner are saved: what it contains are processes. */
bool cg_is_member_list(const char *name);
/* A task can only enter the group when it is set, or it cannot be set afterwards. */
bool cg_is_early(const char *name);
/* Freezes the group: set when all tasks are complete. */
bool cg_is_freezer(const char *name);
/* Writing it has an effect that no property has, or its name is not that of a file in the group. */
bool cg_is_forbidden(const char *name);
/* Writes a value, as it was read, to the file in the group @dir. 0 or a negative errno; not logged. */
int cg_write_property(int dir, const char *name, const char *value);
/* The value without the last newline, in @ret; -ENOENT: there is no such file. Not logged. */
struct buf;
int cg_read_property(int dir, const char *name, struct buf *ret);
