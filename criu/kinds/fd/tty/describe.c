// SPDX-License-Identifier: GPL-2.0-only
/* A terminal, for criu ps. */
#include "kinds/fd/tty/internal.h"
#include "run/describe.h"

void tty_describe(const FileEntry *entry, struct description *d)
{
	const TtyFileEntry *tty = entry->tty;
	const TtyInfoEntry *info = tty ? d->finder->find(d->finder, IMAGE_TTY_INFO, tty->tty_info_id) : NULL;

	d->path = tty && tty->has_regf_id ? describe_path_of(d, tty->regf_id) : NULL;
	describe_add(d, "terminal %s", d->path ? d->path : "");
	if (info && info->pty)
		describe_add(d, "%spts/%u%s", d->path ? ", " : "", info->pty->index,
			     tty_role_of(info->rdev) == TTY_MASTER ? " (master)" : "");
}
