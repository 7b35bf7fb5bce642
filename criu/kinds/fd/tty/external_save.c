// SPDX-License-Identifier: GPL-2.0-only
/*
 * Saves terminals other than pairs of the tree: those passed in at restore (--external, --inherit-fd), and consoles,
 * virtual terminals and serial lines, which are opened by name again. Their unread data is left alone.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>
#include "kernel/device.h"
#include "kinds/fd/tty/internal.h"
#include "kinds/kinds.h"
#include "run/dump.h"
#include "run/external.h"
#include "util/log.h"

#define TTY_EXTERNAL_ID (2u << 24) /* the first id of their tty_infos */
#define TTY_MAJOR_VT 4
#define TTY_FIRST_SERIAL 64 /* minor, of the same major */

struct tty_external_seen {
	struct tty_external_seen *next;
	TtyInfoEntry info;
};

static bool is_given_external(const struct dump *dump, const struct fd_probe *probe)
{
	char key[TTY_KEY_MAX];

	tty_external_key(probe->st.st_rdev, probe->st.st_dev, key);
	return external_is_given(dump->opts, key);
}

/* All that is known of a /dev/tty is the device behind it. */
bool tty_external_is_given(const struct dump *dump, dev_t behind)
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

bool tty_external_claims(const struct dump *dump, const struct fd_probe *probe)
{
	return is_given_external(dump, probe) || tty_is_line(probe);
}

static TtyType tty_type_of_line(dev_t rdev)
{
	if (major(rdev) != TTY_MAJOR_VT)
		return minor(rdev) ? TTY_TYPE__CONSOLE : TTY_TYPE__CTTY;
	return minor(rdev) < TTY_FIRST_SERIAL ? TTY_TYPE__VT : TTY_TYPE__SERIAL;
}

static int tty_describe_external(struct dump *dump, const struct fd_probe *probe, TtyInfoEntry *info)
{
	struct tty_termios t;
	dev_t behind;
	int err = 0;

	tty_info_entry__init(info);
	info->type = is_given_external(dump, probe) ? TTY_TYPE__EXT_TTY : tty_type_of_line(probe->st.st_rdev);
	info->rdev = (uint32_t)probe->st.st_rdev;
	info->has_dev = true;
	info->dev = (uint32_t)probe->st.st_dev;
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

static int tty_find_external(struct dump *dump, const struct fd_probe *probe, uint32_t *ret_id)
{
	uint32_t rdev = (uint32_t)probe->st.st_rdev, dev = (uint32_t)probe->st.st_dev;
	bool own = tty_role_of(probe->st.st_rdev) == TTY_OWN;
	struct tty_dump *all = tty_dump_of(dump);
	struct tty_external_seen *known = all ? all->externals : NULL;
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
	err = tty_describe_external(dump, probe, &known->info);
	if (err < 0)
		return err;
	known->info.id = all->externals ? all->externals->info.id + 1 : TTY_EXTERNAL_ID;
	known->next = all->externals;
	all->externals = known;
	*ret_id = known->info.id;
	return tty_write(dump, IMAGE_TTY_INFO, &known->info.base);
}

bool tty_external_has_session(const struct tty_external_seen *all, uint32_t sid)
{
	while (all && all->info.sid != sid)
		all = all->next;
	return all != NULL;
}

int tty_external_save(struct dump *dump, const struct fd_probe *probe, FileEntry *entry)
{
	TtyFileEntry *tty = dump_alloc(dump, sizeof(*tty));
	char key[TTY_KEY_MAX];
	int err;

	if (!tty)
		return fail(-ENOMEM, "terminal");
	tty_file_entry__init(tty);
	tty->id = entry->id;
	tty->flags = probe->flags;
	err = tty_find_external(dump, probe, &tty->tty_info_id);
	if (!err)
		err = dump_fown(dump, probe, &tty->fown);
	if (!err && !is_given_external(dump, probe)) {
		err = tty_save_path(dump, probe, tty);
		tty_external_key(probe->st.st_rdev, probe->st.st_dev, key);
		if (!err && !tty->has_regf_id)
			dump_blocker(dump, probe->task, probe->fd,
				     "%s: a terminal without a name cannot be opened again; use --external '%s', and "
				     "pass one with --inherit-fd",
				     probe->link, key);
	}
	entry->tty = tty;
	return err;
}
