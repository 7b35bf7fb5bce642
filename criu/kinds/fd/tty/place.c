// SPDX-License-Identifier: GPL-2.0-only
/*
 * Terminals that are no pairs of the tree: those that are handed over (--external, --inherit-fd), and consoles, virtual
 * terminals and serial lines, which are opened by their name again. What waits to be read there stays where it is. Such
 * a line gets the settings of the images only if it is the terminal of a session of the tree: else others use it too.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "kernel/device.h"
#include "kinds/fd/tty/internal.h"
#include "kinds/kinds.h"
#include "run/dump.h"
#include "run/outside.h"
#include "run/restore.h"
#include "util/fds.h"
#include "util/log.h"

#define TTY_PLACE_ID (2u << 24) /* the numbers of their tty_infos begin here */
#define TTY_MAJOR_VT 4
#define TTY_FIRST_SERIAL 64 /* minor, of the same major */

/* ---- dump */

struct tty_place_seen {
	struct tty_place_seen *next;
	TtyInfoEntry info;
};

static bool tty_is_external(const struct dump *dump, const struct fd_probe *probe)
{
	char key[TTY_KEY_MAX];

	tty_external_key(probe->st.st_rdev, probe->st.st_dev, key);
	return outside_is_external(dump->opts, key);
}

/* Of /dev/tty nothing is known but the device behind it. */
bool tty_place_is_external(const struct dump *dump, dev_t behind)
{
	char key[TTY_KEY_MAX];
	int len = snprintf(key, sizeof(key), "tty[%lx:", (unsigned long)behind);

	for (size_t i = 0; i < dump->opts->externals.n; i++)
		if (!strncmp(dump->opts->externals.v[i], key, len))
			return true;
	return false;
}

static bool tty_is_line(const struct fd_probe *probe)
{
	enum tty_role role = tty_role_of(probe->st.st_rdev);
	dev_t behind;

	return role == TTY_OTHER ||
	       (role == TTY_OWN && !tty_device_behind(probe->local, &behind) && tty_role_of(behind) == TTY_OTHER);
}

bool tty_place_claims(const struct dump *dump, const struct fd_probe *probe)
{
	return tty_is_external(dump, probe) || tty_is_line(probe);
}

static TtyType tty_type_of_line(dev_t rdev)
{
	if (major(rdev) != TTY_MAJOR_VT)
		return minor(rdev) ? TTY_TYPE__CONSOLE : TTY_TYPE__CTTY;
	return minor(rdev) < TTY_FIRST_SERIAL ? TTY_TYPE__VT : TTY_TYPE__SERIAL;
}

static int tty_describe_place(struct dump *dump, const struct fd_probe *probe, TtyInfoEntry *info)
{
	struct tty_termios t;
	dev_t behind;
	int err = 0;

	tty_info_entry__init(info);
	info->type = tty_is_external(dump, probe) ? TTY_TYPE__EXT_TTY : tty_type_of_line(probe->st.st_rdev);
	info->rdev = dev_to_kdev(probe->st.st_rdev);
	info->has_dev = true;
	info->dev = dev_to_kdev(probe->st.st_dev);
	if (info->type == TTY_TYPE__CTTY) {
		info->sid = probe->task->t.sid;
		return 0;
	}
	if (!tty_device_behind(probe->local, &behind))
		tty_find_session(dump, behind, info);
	if (info->type != TTY_TYPE__EXT_TTY) {
		err = tty_get_termios(probe->local, &t);
		err = err < 0 ? fail(err, "read the settings of the terminal") :
				tty_save_termios(dump, &t, &info->termios);
	}
	return err ? err : tty_save_winsize(dump, probe->local, &info->winsize);
}

static int tty_find_place(struct dump *dump, const struct fd_probe *probe, uint32_t *ret_id)
{
	uint32_t rdev = dev_to_kdev(probe->st.st_rdev), dev = dev_to_kdev(probe->st.st_dev);
	bool own = tty_role_of(probe->st.st_rdev) == TTY_OWN;
	struct tty_place_seen **all = tty_places_seen(dump), *known = all ? *all : NULL;
	int err;

	while (known && (known->info.rdev != rdev || known->info.dev != dev ||
			 (own && known->info.sid != (uint32_t)probe->task->t.sid)))
		known = known->next;
	if (known) {
		*ret_id = known->info.id;
		return 0;
	}
	known = all ? dump_alloc(dump, sizeof(*known)) : NULL;
	if (!known)
		return fail(-ENOMEM, "terminal");
	err = tty_describe_place(dump, probe, &known->info);
	if (err < 0)
		return err;
	known->info.id = *all ? (*all)->info.id + 1 : TTY_PLACE_ID;
	known->next = *all;
	*all = known;
	*ret_id = known->info.id;
	return tty_write(dump, IMAGE_TTY_INFO, &known->info.base);
}

bool tty_place_has_session(const struct tty_place_seen *all, uint32_t sid)
{
	while (all && all->info.sid != sid)
		all = all->next;
	return all != NULL;
}

int tty_place_save(struct dump *dump, const struct fd_probe *probe, FileEntry *entry)
{
	TtyFileEntry *tty = dump_alloc(dump, sizeof(*tty));
	char key[TTY_KEY_MAX];
	int err;

	if (!tty)
		return fail(-ENOMEM, "terminal");
	tty_file_entry__init(tty);
	tty->id = entry->id;
	tty->flags = probe->flags;
	err = tty_find_place(dump, probe, &tty->tty_info_id);
	if (!err)
		err = dump_fown(dump, probe, &tty->fown);
	if (!err && !tty_is_external(dump, probe)) {
		err = tty_save_path(dump, probe, tty);
		tty_external_key(probe->st.st_rdev, probe->st.st_dev, key);
		if (!err && !tty->has_regf_id)
			dump_blocker(dump, probe->task, probe->fd,
				     "%s: a terminal without a name cannot be opened again: add --external '%s', and "
				     "hand one over with --inherit-fd",
				     probe->link, key);
	}
	entry->tty = tty;
	return err;
}

/* ---- restore */

int tty_place_check(const TtyInfoEntry *info)
{
	struct tty_termios t;

	if (info->type == TTY_TYPE__EXT_TTY)
		return 0;
	if (tty_role_of(kdev_to_dev(info->rdev)) != TTY_OTHER)
		return fail(-EBADMSG, "tty-info.img: terminal %u has device 0x%x", info->id, info->rdev);
	return info->termios ? tty_termios_load(info->termios, &t) : 0;
}

int tty_place_load(struct restore *r, const struct file *file, struct tty_state *ts)
{
	struct tty_restore *all = tty_restore_of(r);
	char key[TTY_KEY_MAX];

	ts->role = TTY_NONE;
	for (size_t i = 0; i < all->nr_places; i++)
		if (all->places[i].info == ts->info)
			ts->place = &all->places[i];
	tty_external_key(kdev_to_dev(ts->info->rdev), kdev_to_dev(ts->info->dev), key);
	ts->place->given = outside_inherited(r->opts, key);
	if (ts->info->type == TTY_TYPE__EXT_TTY && !ts->place->given)
		return fail(-ENOENT, "file %u is an external terminal: hand it over with --inherit-fd 'fd[N]:%s'",
			    file->id, key);
	return 0;
}

int tty_place_link(struct restore *r, const struct file *file, struct tty_place *place)
{
	const TtyFileEntry *tty = file->entry->tty;
	const struct file *reg = tty->has_regf_id ? restore_file(r, tty->regf_id, "a terminal") : NULL;

	if (reg && reg->entry->reg)
		place->reg = reg->entry->reg;
	if (place->reg)
		place->path = place->reg->name;
	if (!place->given && !place->path)
		return fail(-EBADMSG, "files.img: file %u: a terminal without a path", file->id);
	return 0;
}

/* A serial line without carrier makes one wait that opens it; set_status_flags() puts O_NONBLOCK right. */
static int tty_open_line(struct restore *r, const struct tty_place *place, uint32_t flags)
{
	struct name_was was = names_was(place->reg);
	_cleanup_close_ int fd =
		names_open(r, opened_for(r), place->path, (flags & TTY_OPEN_FLAGS) | O_NONBLOCK, 0, &was);
	struct stat st;

	opener_leave(r);
	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0 || !S_ISCHR(st.st_mode) || dev_to_kdev(st.st_rdev) != place->info->rdev)
		return fail(-ENODEV, "%s is not the terminal any more that it was", place->path);
	return steal_fd(&fd);
}

int tty_place_open(struct restore *r, const struct tty_place *place, uint32_t flags)
{
	int fd;

	if (!place->given)
		return tty_open_line(r, place, flags);
	fd = dup_fd_above(place->fd, 0);
	return fd < 0 ? fail(fd, "--inherit-fd %s", place->given->key) : fd;
}

/* Those that were handed over, since the numbers may be taken later; of the others, those that sessions need. */
static int tty_place_before_fork(struct restore *r, struct tty_place *place)
{
	int fd;

	if (!place->given && (!place->path || !place->info->sid))
		return 0;
	if (place->given) {
		fd = dup_fd_above(place->given->fd, r->service_base);
		if (fd < 0)
			return fail(fd, "--inherit-fd fd[%d]:%s", place->given->fd, place->given->key);
	} else {
		fd = tty_open_line(r, place, O_RDWR);
		fd = fd < 0 ? fd : tty_keep(r, fd);
		if (fd < 0)
			return fd;
	}
	place->fd = fd;
	return 0;
}

int tty_places_before_fork(struct restore *r)
{
	struct tty_restore *all = tty_restore_of(r);
	int err = 0;

	for (size_t i = 0; !err && i < all->nr_places; i++)
		err = tty_place_before_fork(r, &all->places[i]);
	return err;
}

static int tty_place_settle(struct tty_place *place)
{
	const WinsizeEntry *size = place->info->winsize;
	struct tty_termios t;
	int err = tty_termios_load(place->info->termios, &t);

	if (!err)
		err = tty_get_termios(place->fd, &place->before);
	if (err < 0)
		return err;
	place->changed = true;
	err = tty_unstopped(place->fd, tty_act_settings, &t);
	if (!err && size && place->info->type == TTY_TYPE__SERIAL) {
		struct winsize ws = { (unsigned short)size->ws_row, (unsigned short)size->ws_col,
				      (unsigned short)size->ws_xpixel, (unsigned short)size->ws_ypixel };

		err = ioctl(place->fd, TIOCSWINSZ, &ws) < 0 ? -errno : 0;
	}
	return err;
}

int tty_places_ready(struct restore *r)
{
	struct tty_restore *all = tty_restore_of(r);
	int err = 0;

	for (size_t i = 0; !err && i < all->nr_places; i++) {
		struct tty_place *place = &all->places[i];

		/* One that is handed over is ready as it is. */
		if (place->fd < 0 || place->given || !place->info->termios)
			continue;
		err = tty_place_settle(place);
		if (err < 0)
			return fail(err, "settings of %s", place->path);
	}
	return 0;
}

void tty_places_failed(struct restore *r)
{
	struct tty_restore *all = tty_restore_of(r);

	for (size_t i = 0; i < all->nr_places; i++)
		if (all->places[i].changed &&
		    tty_unstopped(all->places[i].fd, tty_act_settings, &all->places[i].before) < 0)
			log_warn("the settings of %s could not be put back", all->places[i].path);
}

struct tty_place *tty_place_of_session(struct tty_restore *all, uint32_t sid)
{
	for (size_t i = 0; sid && i < all->nr_places; i++)
		if (all->places[i].info->sid == sid)
			return &all->places[i];
	return NULL;
}
