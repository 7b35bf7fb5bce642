// SPDX-License-Identifier: GPL-2.0-only
/* Descriptors that are passed with --inherit-fd 'fd[N]:memfd:NAME' in place of files in memory. */
#include <errno.h>
#include <stdio.h>
#include "kinds/fd/memfd/internal.h"
#include "run/external.h"
#include "util/fds.h"
#include "util/log.h"

#define KEY_MAX (sizeof("/memfd:") + MEMFD_NAME_MAX)

int memfd_find_inherited(struct restore *r, struct memfd_restore *data, const struct file *file, struct memfd *st)
{
	const MemfdInodeEntry *inode = st->inode->entry;
	const struct inherit_fd *given;
	struct memfd_inherited *in;
	char key[KEY_MAX];

	/* What is mapped is the file of the dump. */
	if (!r->opts->inherit_nr || inode->backing || st->entry->path)
		return 0;
	snprintf(key, sizeof(key), "/memfd:%s", inode->name);
	given = external_inherited(r->opts, key);
	if (!given)
		return 0;
	in = record_new(&r->arena, &data->inherited, 0, file->id, sizeof(*in));
	if (!in)
		return fail(-ENOMEM, "memfd");
	in->given = given;
	in->fd = -1;
	st->inherited = in;
	return 0;
}

int memfd_take_inherited(struct restore *r, struct memfd_restore *data)
{
	for (struct record *rec = data->inherited.first; rec; rec = rec->next) {
		struct memfd_inherited *in = (struct memfd_inherited *)rec;

		in->fd = dup_fd_above(in->given->fd, r->service_base);
		if (in->fd < 0)
			return fail(in->fd, "--inherit-fd fd[%d]:%s", in->given->fd, in->given->key);
	}
	return 0;
}
