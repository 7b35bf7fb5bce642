// SPDX-License-Identifier: GPL-2.0-only
/*
 * Dump of terminals. A pair has two ends, each with a tty_info record; every open description has a tty_file record
 * that refers to its end. Whether a slave's master is in the tree is known when all descriptors have been seen:
 * save_end.c.
 */
#include <asm/termbits.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "kernel/device.h"
#include "kinds/fd/tty/internal.h"
#include "run/dump.h"
#include "run/path.h"
#include "tty.pb-c.h"
#include "util/fds.h"
#include "util/log.h"

static struct tty_seen *tty_seen_of(struct dump *dump, uint32_t index)
{
	struct tty_dump *all = tty_dump_of(dump);
	struct tty_seen *seen = all ? all->seen : NULL;

	while (seen && seen->index != index)
		seen = seen->next;
	if (!seen && all) {
		seen = dump_alloc(dump, sizeof(*seen));
		if (seen) {
			seen->index = index;
			seen->master_fd = seen->slave_fd = -1;
			seen->next = all->seen;
			all->seen = seen;
		}
	}
	return seen;
}

bool tty_claims(const struct fd_probe *probe)
{
	return S_ISCHR(probe->st.st_mode) && !(probe->flags & O_PATH) && tty_role_of(probe->st.st_rdev) != TTY_NONE;
}

/* ---- one end */

static int tty_save_locked(struct dump *dump, int fd, TermiosEntry **ret_entry)
{
	struct tty_termios t = { 0 };

	/* The kernel's struct termios, which is the first part of this one. */
	if (ioctl(fd, TIOCGLCKTRMIOS, &t) < 0)
		return fail(-errno, "read the locked settings of the terminal");
	return tty_save_termios(dump, &t, ret_entry);
}

static TtyInfoEntry *tty_new_info(struct dump *dump, const struct fd_probe *probe, uint32_t index, enum tty_role role)
{
	TtyInfoEntry *info = dump_alloc(dump, sizeof(*info));
	TtyPtyEntry *pty = dump_alloc(dump, sizeof(*pty));

	if (!info || !pty)
		return NULL;
	tty_info_entry__init(info);
	tty_pty_entry__init(pty);
	info->id = tty_info_id(index, role);
	info->type = role == TTY_OWN ? TTY_TYPE__CTTY : TTY_TYPE__PTY;
	info->rdev = (uint32_t)probe->st.st_rdev;
	info->has_dev = true;
	info->dev = (uint32_t)probe->st.st_dev;
	info->pty = pty;
	pty->index = index;
	/* One that is not mapped in the user namespace of the tree cannot be set there. */
	info->has_uid = id_map_has(&dump->uid_map, probe->st.st_uid);
	info->has_gid = id_map_has(&dump->gid_map, probe->st.st_gid);
	info->has_mode = true;
	info->uid = dump_uid_of(dump, probe->st.st_uid);
	info->gid = dump_gid_of(dump, probe->st.st_gid);
	info->mode = probe->st.st_mode & 07777;
	return info;
}

/* Settings and size are those of the slave, whichever end is queried. @locked and packet mode belong to the master. */
static int tty_save_settings(struct dump *dump, const struct fd_probe *probe, TtyInfoEntry *info)
{
	struct tty_termios t;
	int err = tty_get_termios(probe->local, &t), flag = 0;

	if (err < 0)
		return err == -EIO ? 0 : fail(err, "read the settings of the terminal");
	err = tty_save_termios(dump, &t, &info->termios);
	if (!err)
		err = tty_save_locked(dump, probe->local, &info->termios_locked);
	if (!err)
		err = tty_save_winsize(dump, probe->local, &info->winsize);
	if (!ioctl(probe->local, TIOCGEXCL, &flag))
		info->exclusive = flag;
	return err;
}

/* ---- each description */

/* A copy to read from later, when the other end is known, too. */
static int tty_keep_readable(const struct fd_probe *probe, int *keep)
{
	if (*keep >= 0 || (probe->flags & O_ACCMODE) == O_WRONLY)
		return 0;
	*keep = dup_fd_above(probe->local, 3);
	return *keep < 0 ? fail(*keep, "copy the descriptor of a terminal") : 0;
}

static int tty_save_master(struct dump *dump, const struct fd_probe *probe, struct tty_seen *seen)
{
	struct pollfd look = { .fd = probe->local };
	TtyInfoEntry *info;
	int flag = 0, err;

	err = tty_keep_readable(probe, &seen->master_fd);
	if (err || seen->master)
		return err;
	info = seen->master = tty_new_info(dump, probe, seen->index, TTY_MASTER);
	if (!info)
		return fail(-ENOMEM, "terminal");
	err = tty_save_settings(dump, probe, info);
	if (err < 0)
		return err;
	if (!ioctl(probe->local, TIOCGPTLCK, &flag))
		info->locked = flag;
	if (!ioctl(probe->local, TIOCGPKT, &flag))
		info->packet_mode = flag;
	if (poll(&look, 1, 0) == 1 && (look.revents & POLLHUP))
		info->has_hung_up = info->hung_up = true;
	return 0;
}

/* Each description is hung up on its own: those opened later are not. */
static bool tty_is_hung_up(const struct fd_probe *probe)
{
	struct tty_termios t;

	return tty_get_termios(probe->local, &t) == -EIO;
}

static int tty_save_hung(struct dump *dump, const struct fd_probe *probe, struct tty_seen *seen, TtyFileEntry *tty)
{
	tty->tty_info_id = TTY_INFO_HUNG | tty->tty_info_id;
	if (seen->hung)
		return 0;
	if (!seen->task) {
		seen->task = probe->task;
		seen->fd = probe->fd;
	}
	seen->hung = tty_new_info(dump, probe, seen->index, TTY_SLAVE);
	if (!seen->hung)
		return fail(-ENOMEM, "terminal");
	seen->hung->id = tty->tty_info_id;
	return 0;
}

static int tty_save_slave(struct dump *dump, const struct fd_probe *probe, struct tty_seen *seen, TtyFileEntry *tty)
{
	int err;

	if (tty_is_hung_up(probe))
		return tty_save_hung(dump, probe, seen, tty);
	err = tty_keep_readable(probe, &seen->slave_fd);
	if (!err && !seen->slave) {
		seen->task = probe->task;
		seen->fd = probe->fd;
		seen->slave = tty_new_info(dump, probe, seen->index, TTY_SLAVE);
		if (!seen->slave)
			return fail(-ENOMEM, "terminal");
		err = tty_save_settings(dump, probe, seen->slave);
	}
	return err;
}

static int tty_save_own(struct dump *dump, const struct fd_probe *probe, struct tty_seen *seen)
{
	if (!seen->task) {
		seen->task = probe->task;
		seen->fd = probe->fd;
	}
	if (!seen->own)
		seen->own = tty_new_info(dump, probe, seen->index, TTY_OWN);
	if (!seen->own)
		return fail(-ENOMEM, "terminal");
	seen->own->sid = probe->task->t.sid;
	return 0;
}

static int tty_find_index(const struct fd_probe *probe, enum tty_role role, uint32_t *ret_index)
{
	switch (role) {
	case TTY_MASTER:
		return tty_index_of_master(probe->local, ret_index);
	case TTY_SLAVE:
		*ret_index = minor(probe->st.st_rdev);
		return 0;
	default:
		return tty_index_behind(probe->local, ret_index);
	}
}

/* The devpts that a pair is in: for one created by /dev/ptmx, the one mounted on pts beside it. */
static dev_t tty_instance(const struct dump *dump, const struct fd_probe *probe, enum tty_role role)
{
	const char *base = strrchr(probe->link, '/');
	char pts[PATH_MAX];
	struct stat st;

	if (role == TTY_SLAVE || probe->fs_magic == DEVPTS_SUPER_MAGIC)
		return probe->st.st_dev;
	if (role != TTY_MASTER || !base ||
	    snprintf(pts, sizeof(pts), "%.*s/pts", (int)(base - probe->link), probe->link) >= (int)sizeof(pts) ||
	    path_stat(&dump->roots, PATH_ROOT_MOUNT, pts, true, &st) < 0)
		return 0;
	return st.st_dev;
}

/* Terminals are identified by their index, also in images. */
static bool tty_is_same_instance(struct dump *dump, const struct fd_probe *probe, struct tty_seen *seen, dev_t instance)
{
	if (!seen->instance)
		seen->instance = instance;
	if (!instance || instance == seen->instance)
		return true;
	dump_blocker(dump, probe->task, probe->fd,
		     "%s: terminal %u is in another devpts than terminal %u of the tree (device %u:%u and %u:%u), "
		     "which is not supported; close one of them",
		     probe->link, seen->index, seen->index, major(instance), minor(instance), major(seen->instance),
		     minor(seen->instance));
	return false;
}

int tty_save(struct dump *dump, const struct fd_probe *probe, FileEntry *entry)
{
	enum tty_role role = tty_role_of(probe->st.st_rdev);
	TtyFileEntry *tty = dump_alloc(dump, sizeof(*tty));
	struct tty_seen *seen;
	uint32_t index;
	int err;

	if (tty_external_claims(dump, probe))
		return tty_external_save(dump, probe, entry);
	err = tty_find_index(probe, role, &index);
	if (err < 0) {
		dump_blocker(dump, probe->task, probe->fd,
			     "%s: a terminal of device %u:%u, which is gone, cannot be saved; close it", probe->link,
			     major(probe->st.st_rdev), minor(probe->st.st_rdev));
		return 0;
	}
	seen = tty_seen_of(dump, index);
	if (!tty || !seen)
		return fail(-ENOMEM, "terminal");
	if (!tty_is_same_instance(dump, probe, seen, tty_instance(dump, probe, role)))
		return 0;
	tty_file_entry__init(tty);
	tty->id = entry->id;
	tty->tty_info_id = tty_info_id(index, role);
	tty->flags = probe->flags;
	err = dump_fown(dump, probe, &tty->fown);
	if (!err)
		err = role == TTY_MASTER ? tty_save_master(dump, probe, seen) :
		      role == TTY_SLAVE	 ? tty_save_slave(dump, probe, seen, tty) :
					   tty_save_own(dump, probe, seen);
	if (err < 0)
		return err;
	entry->tty = tty;
	return tty_save_path(dump, probe, tty);
}
