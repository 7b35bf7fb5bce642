// SPDX-License-Identifier: GPL-2.0-only
#include "kinds/ns/cgroup/extra_properties.h"
#include "kinds/ns/cgroup/properties.h"

int cg_extra_each_property(struct dump *dump, const struct cg_hierarchy *h, int (*fn)(void *arg, const char *name),
			   void *arg)
{
	return cg_each_property(h, fn, arg);
}
