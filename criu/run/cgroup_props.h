/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The format of --cgroup-props and --cgroup-props-file, a subset of YAML:
 *
 *	"memory":
 *	  - "strategy": "replace"
 *	  - "properties": ["memory.max", "memory.high"]
 *
 * "merge": these in addition to the usual ones of the controller. Quotes may be omitted. The controller "global" stands for
 * the files that every group has.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include "run/options.h"

struct cgroup_props_entry {
	char *controller;
	bool replace;
	struct str_list files;
};

struct cgroup_props {
	struct cgroup_props_entry *v;
	size_t n, cap;
};

/* Of both options: the file first. Reads the file. */
int cgroup_props_read(const struct options *opts, struct cgroup_props *to, const char **ret_why);
void cgroup_props_free(struct cgroup_props *props);
#define _cleanup_cgroup_props_ __attribute__((cleanup(cgroup_props_free)))
