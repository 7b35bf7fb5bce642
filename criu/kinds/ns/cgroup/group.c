// SPDX-License-Identifier: GPL-2.0-only
/* Restore: what the tool and the keeper do with a group. */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "kinds/ns/cgroup/restore.h"
#include "util/fds.h"

int cg_open_group(const struct cg_group *group)
{
	return open_at(group->h->root, cg_below_root(group->path), O_RDONLY | O_DIRECTORY, 0);
}

static const char *value_of(const struct cg_group *group, const char *name)
{
	for (size_t i = 0; group->entry && i < group->entry->n_properties; i++)
		if (!strcmp(group->entry->properties[i]->name, name))
			return group->entry->properties[i]->value;
	return NULL;
}

void cg_freeze(struct cg_restore *cg)
{
	for (size_t i = 0; i < cg->groups.n; i++) {
		const struct cg_group *group = &cg->groups.v[i];
		bool changed = !group->existed || cg->mode == CGROUP_MODE_FULL || cg->mode == CGROUP_MODE_PROPS;
		const char *v1 = value_of(group, "freezer.state"), *v2 = value_of(group, "cgroup.freeze");
		_cleanup_close_ int dir = -1;

		if (!changed || !((v1 && !strcmp(v1, "FROZEN")) || (v2 && !strcmp(v2, "1"))))
			continue;
		dir = cg_open_group(group);
		if (dir >= 0)
			write_text(dir, v1 ? "freezer.state" : "cgroup.freeze", v1 ? "FROZEN" : "1");
	}
}
