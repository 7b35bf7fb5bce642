// SPDX-License-Identifier: GPL-2.0-only
/* What the dump half of this kind shares: its data of the run, and how a name is compared with a file. */
#include <fcntl.h>
#include "kinds/fd/regular/internal.h"

struct regular_dump *regular_dump_data(struct dump *dump)
{
	return kind_data_of(&dump->arena, dump_kind_data(dump, &regular_kind), sizeof(struct regular_dump));
}

bool name_leads_to(const char *path, const struct stat *st)
{
	struct stat now;

	return !fstatat(AT_FDCWD, path, &now, AT_SYMLINK_NOFOLLOW) && now.st_dev == st->st_dev &&
	       now.st_ino == st->st_ino;
}
