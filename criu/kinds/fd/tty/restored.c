// SPDX-License-Identifier: GPL-2.0-only
/* Restore of terminals: per-run data, and helpers for every step. */
#include <errno.h>
#include <string.h>
#include <unistd.h>
#include "kinds/fd/tty/internal.h"
#include "kinds/kinds.h"
#include "run/restore.h"
#include "tty.pb-c.h"
#include "util/fds.h"
#include "util/log.h"

struct tty_restore *tty_restore_of(struct restore *r)
{
	return *restore_kind_data(r, &tty_kind);
}

int tty_termios_load(const TermiosEntry *entry, struct tty_termios *ret)
{
	struct tty_termios t = {
		.iflag = entry->c_iflag,
		.oflag = entry->c_oflag,
		.cflag = entry->c_cflag,
		.lflag = entry->c_lflag,
		.line = (uint8_t)entry->c_line,
		.ispeed = entry->c_ispeed,
		.ospeed = entry->c_ospeed,
	};

	if (entry->n_c_cc < TTY_NCC)
		return fail(-EBADMSG, "tty-info.img: %zu control characters, not %d", entry->n_c_cc, TTY_NCC);
	/* As CRIU: the bytes as they are in memory, in the first numbers. */
	memcpy(t.cc, entry->c_cc, TTY_NCC);
	*ret = t;
	return 0;
}

bool tty_pair_is_users(const struct tty_pair *pair)
{
	return !pair->master && !pair->other_master && pair->slave && pair->slave->termios;
}

struct tty_external *tty_external_of_session(struct tty_restore *all, uint32_t sid)
{
	for (size_t i = 0; sid && i < all->nr_externals; i++)
		if (all->externals[i].info->sid == sid)
			return &all->externals[i];
	return NULL;
}

int tty_keep_fd(struct restore *r, int fd)
{
	int kept = r->service_base > 0 ? move_fd_above(fd, r->service_base) : fd;

	if (kept < 0) {
		close(fd);
		return fail(kept, "keep a descriptor of a terminal");
	}
	return kept;
}
