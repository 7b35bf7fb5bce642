// SPDX-License-Identifier: GPL-2.0-only
/* Shared by the dump side of this kind: per-run data, and comparing a path with a file. */
#include <fcntl.h>
#include "kinds/fd/regular/internal.h"
#include "run/path.h"

struct regular_dump *regular_dump_data(struct dump *dump)
{
	return kind_data_of(&dump->arena, dump_kind_data(dump, &regular_kind), sizeof(struct regular_dump));
}

bool name_leads_to(const struct dump *dump, const struct subject *s, const char *path)
{
	struct stat now;

	return !path_stat(&dump->roots, s->mnt_id, path, false, &now) && now.st_dev == s->st.st_dev &&
	       now.st_ino == s->st.st_ino;
}
