/* SPDX-License-Identifier: GPL-2.0-only */
/* --cgroup-props, --cgroup-props-file, --cgroup-dump-controller: other properties than the usual ones. */
#pragma once

struct cg_hierarchy;
struct dump;

/* As cg_each_property(), with what the options say. */
int cg_extra_each_property(struct dump *dump, const struct cg_hierarchy *h, int (*fn)(void *arg, const char *name),
			   void *arg);
