// SPDX-License-Identifier: GPL-2.0-only
/*
 * Restores terminals other than pairs of the tree (see external_save.c). A line gets the settings of the images only if
 * it is the controlling terminal of a session in the tree: otherwise other processes use it, too.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "kernel/device.h"
#include "kinds/fd/tty/internal.h"
#include "run/external.h"
#include "run/restore.h"
#include "util/fds.h"
#include "util/log.h"

int tty_external_check(const TtyInfoEntry *info)
{
	struct tty_termios t;

	if (info->type == TTY_TYPE__EXT_TTY)
		return 0;
	if (tty_role_of(info->rdev) != TTY_OTHER)
		return fail(-EBADMSG, "tty-info.img: terminal %u: invalid device 0x%x", info->id, info->rdev);
	return info->termios ? tty_termios_load(info->termios, &t) : 0;
}

int tty_external_load(struct restore *r, const struct file *file, struct tty_state *ts)
{
	struct tty_restore *all = tty_restore_of(r);
	char key[TTY_KEY_MAX];

	ts->role = TTY_NONE;
	for (size_t i = 0; i < all->nr_externals; i++)
		if (all->externals[i].info == ts->info)
			ts->external = &all->externals[i];
	tty_external_key(ts->info->rdev, ts->info->dev, key);
	ts->external->given = external_inherited(r->opts, key);
	if (ts->info->type == TTY_TYPE__EXT_TTY && !ts->external->given)
		return fail(-ENOENT, "file %u is an external terminal; pass it with --inherit-fd 'fd[N]:%s'", file->id,
			    key);
	return 0;
}

int tty_external_link(struct restore *r, const struct file *file, struct tty_external *external)
{
	const TtyFileEntry *tty = file->entry->tty;
	const struct file *reg = tty->has_regf_id ? restore_file(r, tty->regf_id, "a terminal") : NULL;

	if (reg && reg->entry->reg)
		external->reg = reg->entry->reg;
	if (external->reg)
		external->path = external->reg->name;
	if (!external->given && !external->path)
		return fail(-EBADMSG, "files.img: file %u: a terminal without a path", file->id);
	return 0;
}

/* Opening a serial line without carrier blocks; set_status_flags() restores O_NONBLOCK. */
static int tty_open_line(struct restore *r, const struct tty_external *external, uint32_t flags)
{
	struct name_was was = names_was(external->reg);
	const struct name_wanted what = { external->path, (flags & TTY_OPEN_FLAGS) | O_NONBLOCK, &was,
					  PATH_ROOT_MOUNT };
	_cleanup_close_ int fd = names_open(r, opened_for(r), &what, 0);
	struct stat st;

	opener_leave(r);
	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0 || !S_ISCHR(st.st_mode) || (uint32_t)st.st_rdev != external->info->rdev)
		return fail(-ENODEV, "%s is not the same terminal device any more", external->path);
	return steal_fd(&fd);
}

int tty_external_open(struct restore *r, const struct tty_external *external, uint32_t flags)
{
	int fd;

	if (!external->given)
		return tty_open_line(r, external, flags);
	fd = dup_fd_above(external->fd, 0);
	return fd < 0 ? fail(fd, "--inherit-fd %s", external->given->key) : fd;
}

/* Terminals passed in, since their descriptor numbers may be reused later; of the others, those that sessions need. */
static int tty_external_in_namespaces(struct restore *r, struct tty_external *external)
{
	int fd;

	if (!external->given && (!external->path || !external->info->sid))
		return 0;
	if (external->given) {
		fd = dup_fd_above(external->given->fd, r->service_base);
		if (fd < 0)
			return fail(fd, "--inherit-fd fd[%d]:%s", external->given->fd, external->given->key);
	} else {
		fd = tty_open_line(r, external, O_RDWR);
		fd = fd < 0 ? fd : tty_keep_fd(r, fd);
		if (fd < 0)
			return fd;
	}
	external->fd = fd;
	return 0;
}

int tty_externals_in_namespaces(struct restore *r)
{
	struct tty_restore *all = tty_restore_of(r);
	int err = 0;

	for (size_t i = 0; !err && i < all->nr_externals; i++)
		err = tty_external_in_namespaces(r, &all->externals[i]);
	return err;
}

static int tty_external_set_up(struct tty_external *external)
{
	const WinsizeEntry *size = external->info->winsize;
	struct tty_termios t;
	int err = tty_termios_load(external->info->termios, &t);

	if (!err)
		err = tty_get_termios(external->fd, &external->before);
	if (err < 0)
		return err;
	external->changed = true;
	err = tty_without_sigttou(external->fd, tty_call_set_termios, &t);
	if (!err && size && external->info->type == TTY_TYPE__SERIAL) {
		struct winsize ws = { (unsigned short)size->ws_row, (unsigned short)size->ws_col,
				      (unsigned short)size->ws_xpixel, (unsigned short)size->ws_ypixel };

		err = ioctl(external->fd, TIOCSWINSZ, &ws) < 0 ? -errno : 0;
	}
	return err;
}

int tty_externals_ready(struct restore *r)
{
	struct tty_restore *all = tty_restore_of(r);
	int err = 0;

	for (size_t i = 0; !err && i < all->nr_externals; i++) {
		struct tty_external *external = &all->externals[i];

		/* A terminal that was passed in is ready. */
		if (external->fd < 0 || external->given || !external->info->termios)
			continue;
		err = tty_external_set_up(external);
		if (err < 0)
			return fail(err, "settings of %s", external->path);
	}
	return 0;
}

void tty_externals_failed(struct restore *r)
{
	struct tty_restore *all = tty_restore_of(r);

	for (size_t i = 0; i < all->nr_externals; i++)
		if (all->externals[i].changed &&
		    tty_without_sigttou(all->externals[i].fd, tty_call_set_termios, &all->externals[i].before) < 0)
			log_warn("could not restore the previous settings of %s", all->externals[i].path);
}
