// SPDX-License-Identifier: GPL-2.0-only
/* criu check -D: is the file there, and the one that was saved? */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include "kinds/fd/regular/internal.h"
#include "kinds/kinds.h"
#include "run/names.h"
#include "run/obstacles.h"
#include "run/path.h"
#include "util/fds.h"

/* Otherwise it is passed on, or created: a file without a name, one of a task that has exited, one that was saved in tmpfs. */
static const RegFileEntry *found_by_name(struct restore *r, const struct regular *st)
{
	if (st->inherited || (st->remap && !st->remap->to) || st->reg->has_kept || !restore_paths_exist(r) ||
	    detached_has(*restore_kind_data(r, &regular_kind), st->reg))
		return NULL;
	return st->remap ? st->remap->to : st->reg;
}

/* Nothing is opened but the path: devices, and readers of events, would notice. */
int regular_check(struct restore *r, struct file *file, const void *state)
{
	const struct regular *st = state;
	const RegFileEntry *reg = found_by_name(r, st);
	unsigned flags = (st->reg->flags & (O_DIRECTORY | O_NOFOLLOW)) | O_PATH;
	_cleanup_close_ int fd = -1;
	struct name_was was;

	if (!reg)
		return 0;
	if (st->reg->has_mode && !S_ISDIR(st->reg->mode))
		flags &= ~(unsigned)O_DIRECTORY;
	if (S_ISLNK(reg->mode))
		flags |= O_NOFOLLOW;
	was = names_was(reg);
	fd = names_open(r, audience_of_file(r, file), &(struct name_wanted){ reg->name, flags, &was, PATH_ROOT_MOUNT },
			regular_access_of(st->reg->flags));
	return fd < 0 ? fd : regular_check_content(r, reg, fd);
}

int regular_find_here(struct restore *r, const struct file *file)
{
	const RegFileEntry *reg = file->kind == &regular_kind && file->loaded ? found_by_name(r, file->state) : NULL;

	return reg ? path_open(&r->roots, PATH_ROOT_MOUNT, reg->name, O_PATH) : -ENOENT;
}
