// SPDX-License-Identifier: GPL-2.0-only
/*
 * Restore of terminals that are no pairs of the tree (external_save.c tells which). A line gets the settings of the images
 * only if it is the terminal of a session of the tree: else others use it too.
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
	if (tty_role_of(kdev_to_dev(info->rdev)) != TTY_OTHER)
		return fail(-EBADMSG, "tty-info.img: terminal %u has device 0x%x", info->id, info->rdev);
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
	tty_external_key(kdev_to_dev(ts->info->rdev), kdev_to_dev(ts->info->dev), key);
	ts->external->given = external_inherited(r->opts, key);
	if (ts->info->type == TTY_TYPE__EXT_TTY && !ts->external->given)
		return fail(-ENOENT, "file %u is an external terminal: hand it over with --inherit-fd 'fd[N]:%s'",
			    file->id, key);
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

/* A serial line without carrier makes one wait that opens it; set_status_flags() puts O_NONBLOCK right. */
static int tty_open_line(struct restore *r, const struct tty_external *external, uint32_t flags)
{
	struct name_was was = names_was(external->reg);
	const struct name_wanted what = { external->path, (flags & TTY_OPEN_FLAGS) | O_NONBLOCK, &was };
	_cleanup_close_ int fd = names_open(r, opened_for(r), &what, 0);
	struct stat st;

	opener_leave(r);
	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0 || !S_ISCHR(st.st_mode) || dev_to_kdev(st.st_rdev) != external->info->rdev)
		return fail(-ENODEV, "%s is not the terminal any more that it was", external->path);
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

/* Those that were handed over, since the numbers may be taken later; of the others, those that sessions need. */
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
		fd = fd < 0 ? fd : tty_keep(r, fd);
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

static int tty_external_settle(struct tty_external *external)
{
	const WinsizeEntry *size = external->info->winsize;
	struct tty_termios t;
	int err = tty_termios_load(external->info->termios, &t);

	if (!err)
		err = tty_get_termios(external->fd, &external->before);
	if (err < 0)
		return err;
	external->changed = true;
	err = tty_unstopped(external->fd, tty_act_settings, &t);
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

		/* One that is handed over is ready as it is. */
		if (external->fd < 0 || external->given || !external->info->termios)
			continue;
		err = tty_external_settle(external);
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
		    tty_unstopped(all->externals[i].fd, tty_act_settings, &all->externals[i].before) < 0)
			log_warn("the settings of %s could not be put back", all->externals[i].path);
}
