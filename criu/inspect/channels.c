// SPDX-License-Identifier: GPL-2.0-only
#include "inspect/channels.h"
#include <errno.h>

static int add_end(struct channel *ch, const struct shown_task *task, const struct description *d)
{
	struct channel_end *end = ch->ends.n ? &ch->ends.v[ch->ends.n - 1] : NULL;

	if (!end || end->task != task)
		end = array_push(&ch->ends);
	if (!end)
		return -ENOMEM;
	end->task = task;
	end->reads |= d->reads;
	end->writes |= d->writes;
	return 0;
}

static int add_file(struct channel_array *channels, struct hash *by_flow, const struct shown_task *task,
		    const FileEntry *file, const struct description *d)
{
	bool fresh;
	uint64_t *slot = hash_slot_of(by_flow, d->flow, &fresh);
	struct channel *ch;

	if (!slot)
		return -ENOMEM;
	if (fresh) {
		*slot = channels->n;
		ch = array_push(channels);
		if (!ch)
			return -ENOMEM;
		ch->file = file;
	}
	ch = &channels->v[*slot];
	ch->whole |= ch->file != file;
	return add_end(ch, task, d);
}

int channels_find(const struct contents *c, struct channel_array *ret)
{
	_cleanup_hash_ struct hash by_flow = { 0 };
	const struct shown_fd *fd;
	int err = 0;

	for (const struct shown_task *t = c->first; t; t = t->following) {
		array_for_each(fd, &t->fds) {
			_cleanup_description_ struct description d = { 0 };

			if (!err && fd->file)
				err = describe(fd->file, &c->finder, &d);
			if (!err && d.flow)
				err = add_file(ret, &by_flow, t, fd->file, &d);
		}
	}
	return err;
}

void channels_free(struct channel_array *channels)
{
	struct channel *ch;

	array_for_each(ch, channels)
		array_free(&ch->ends);
	array_free(channels);
}
