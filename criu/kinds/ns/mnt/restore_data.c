// SPDX-License-Identifier: GPL-2.0-only
/* What a restore of mount namespaces has for all of them. */
#include "kinds/kinds.h"
#include "kinds/ns/mnt/restore.h"
#include "util/str.h"

struct mount_restore *mount_restore_data(struct restore *r)
{
	void **data = restore_kind_data(r, &mnt_ns_run);

	if (!*data)
		*data = restore_alloc(r, sizeof(struct mount_restore));
	return *data;
}

bool mount_type_is_enabled(const struct restore *r, const char *type)
{
	const struct str_list *list = &r->opts->enable_fs;

	for (size_t i = 0; i < list->n; i++)
		if (str_eq(list->v[i], type) || str_eq(list->v[i], "all"))
			return true;
	return false;
}
