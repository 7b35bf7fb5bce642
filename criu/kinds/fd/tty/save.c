// SPDX-License-Identifier: GPL-2.0-only
/*
 * Dump of terminals. A pair has two ends with a tty_info record each; every open description has a tty_file record
 * that names its end. When all descriptors are known it shows whether a slave's master is in the tree: if not, it is
 * the terminal of the person, for --shell-job.
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
#include "image/writer.h"
#include "kernel/device.h"
#include "kinds/fd/tty/internal.h"
#include "run/guard.h"
#include "run/dump.h"
#include "run/outside.h"
#include "tty.pb-c.h"
#include "util/fds.h"
#include "util/log.h"

struct tty_seen {
	struct tty_seen *next;
	uint32_t index;
	TtyInfoEntry *master, *slave, *own; /* own: /dev/tty stands for it */
	TtyInfoEntry *hung; /* slaves that were hung up: the master is gone, or vhangup(2) */
	dev_t instance; /* of devpts; 0: not known */
	int master_fd, slave_fd; /* ours, to read from; -1: none */
	struct dump_task *task; /* who has the slave, and as what: for messages */
	int fd;
};

struct tty_dump {
	struct tty_seen *seen;
	struct tty_place_seen *places;
	bool has_outside;
};

static struct tty_dump *tty_dump_of(struct dump *dump)
{
	struct tty_dump *all = *dump_kind_data(dump, &tty_kind);

	if (!all)
		all = *dump_kind_data(dump, &tty_kind) = dump_alloc(dump, sizeof(*all));
	return all;
}

struct tty_place_seen **tty_places_seen(struct dump *dump)
{
	struct tty_dump *all = tty_dump_of(dump);

	return all ? &all->places : NULL;
}

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

#define TTY_INFO_HUNG (1u << 25)

/* As CRIU numbers them: the two ends of a pair side by side. */
static uint32_t tty_info_id(uint32_t index, enum tty_role role)
{
	return role == TTY_OWN ? 1u << 24 | index : index << 1 | (role == TTY_MASTER);
}

/* ---- what an end is like */

int tty_save_termios(struct dump *dump, const struct tty_termios *t, TermiosEntry **ret_entry)
{
	TermiosEntry *entry = dump_alloc(dump, sizeof(*entry));
	uint32_t speed = t->cflag & CBAUD;

	if (!entry)
		return fail(-ENOMEM, "terminal");
	termios_entry__init(entry);
	entry->c_iflag = t->iflag;
	entry->c_oflag = t->oflag;
	entry->c_cflag = t->cflag;
	entry->c_lflag = t->lflag;
	entry->c_line = t->line;
	/* The code of the speed, as libc has it; a speed that has no code stands there itself. */
	entry->c_ispeed = speed == BOTHER ? t->ispeed : speed;
	entry->c_ospeed = speed == BOTHER ? t->ospeed : speed;
	entry->n_c_cc = TTY_NCC;
	entry->c_cc = dump_alloc(dump, TTY_NCC * sizeof(*entry->c_cc));
	if (!entry->c_cc)
		return fail(-ENOMEM, "terminal");
	for (int i = 0; i < TTY_NCC; i++)
		entry->c_cc[i] = t->cc[i];
	*ret_entry = entry;
	return 0;
}

static int tty_save_locked(struct dump *dump, int fd, TermiosEntry **ret_entry)
{
	struct tty_termios t = { 0 };

	/* The kernel's struct termios, which is the first part of this one. */
	if (ioctl(fd, TIOCGLCKTRMIOS, &t) < 0)
		return fail(-errno, "read the locked settings of the terminal");
	return tty_save_termios(dump, &t, ret_entry);
}

int tty_save_winsize(struct dump *dump, int fd, WinsizeEntry **ret_entry)
{
	WinsizeEntry *entry = dump_alloc(dump, sizeof(*entry));
	struct winsize ws;

	if (!entry)
		return fail(-ENOMEM, "terminal");
	if (ioctl(fd, TIOCGWINSZ, &ws) < 0)
		return fail(-errno, "read the size of the terminal");
	winsize_entry__init(entry);
	entry->ws_row = ws.ws_row;
	entry->ws_col = ws.ws_col;
	entry->ws_xpixel = ws.ws_xpixel;
	entry->ws_ypixel = ws.ws_ypixel;
	*ret_entry = entry;
	return 0;
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
	info->rdev = dev_to_kdev(probe->st.st_rdev);
	info->has_dev = true;
	info->dev = dev_to_kdev(probe->st.st_dev);
	info->pty = pty;
	pty->index = index;
	info->has_uid = info->has_gid = info->has_mode = true;
	info->uid = dump_uid_of(dump, probe->st.st_uid);
	info->gid = dump_gid_of(dump, probe->st.st_gid);
	info->mode = probe->st.st_mode & 07777;
	return info;
}

/* Settings and size are those of the slave, whichever end is asked. @locked and packet mode belong to the master. */
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

/* A copy to read from later, when the other end is known too. */
static int tty_keep_readable(const struct fd_probe *probe, int *keep)
{
	if (*keep >= 0 || (probe->flags & O_ACCMODE) == O_WRONLY)
		return 0;
	*keep = dup_fd_above(probe->local, 3);
	return *keep < 0 ? fail(*keep, "keep a descriptor of a terminal") : 0;
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

/* Each description is hung up by itself: those that were opened later are not. */
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

int tty_save_path(struct dump *dump, const struct fd_probe *probe, TtyFileEntry *tty)
{
	FileEntry entry = FILE_ENTRY__INIT;
	RegFileEntry reg = REG_FILE_ENTRY__INIT;

	if (probe->link[0] != '/' || strstr(probe->link, " (deleted)"))
		return 0;
	tty->has_regf_id = true;
	tty->regf_id = dump_new_file_id(dump);
	entry.type = FD_TYPES__REG;
	entry.id = reg.id = tty->regf_id;
	entry.reg = &reg;
	reg.flags = probe->flags;
	reg.fown = tty->fown;
	reg.name = (char *)probe->link;
	reg.has_mode = true;
	reg.mode = probe->st.st_mode;
	return dump_write_file_entry(dump, &entry);
}

int tty_write(struct dump *dump, enum image_type type, const ProtobufCMessage *msg)
{
	struct image_writer *img;
	int err = dump_shared_image(dump, type, &img);

	if (err < 0)
		return err;
	err = image_write_record(img, msg);
	return err < 0 ? fail(err, "%s", image_dir_error(dump->dir)) : 0;
}

/* Which file system of its own sort a pair is in: one that /dev/ptmx made is in pts beside it. */
static dev_t tty_instance(const struct fd_probe *probe, enum tty_role role)
{
	const char *base = strrchr(probe->link, '/');
	char pts[PATH_MAX];
	struct stat st;

	if (role == TTY_SLAVE || probe->fs_magic == DEVPTS_SUPER_MAGIC)
		return probe->st.st_dev;
	if (role != TTY_MASTER || !base ||
	    snprintf(pts, sizeof(pts), "%.*s/pts", (int)(base - probe->link), probe->link) >= (int)sizeof(pts) ||
	    stat(pts, &st) < 0)
		return 0;
	return st.st_dev;
}

/* Terminals are known by their numbers, in images too. */
static bool tty_is_same_instance(struct dump *dump, const struct fd_probe *probe, struct tty_seen *seen, dev_t instance)
{
	if (!seen->instance)
		seen->instance = instance;
	if (!instance || instance == seen->instance)
		return true;
	dump_blocker(dump, probe->task, probe->fd,
		     "%s: terminal %u of another devpts than the other terminal %u of the tree (device %u:%u and "
		     "%u:%u): close one of them",
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

	if (tty_place_claims(dump, probe))
		return tty_place_save(dump, probe, entry);
	err = tty_find_index(probe, role, &index);
	if (err < 0) {
		dump_blocker(dump, probe->task, probe->fd,
			     "%s: a terminal of device %u:%u that is gone cannot be saved; close it", probe->link,
			     major(probe->st.st_rdev), minor(probe->st.st_rdev));
		return 0;
	}
	seen = tty_seen_of(dump, index);
	if (!tty || !seen)
		return fail(-ENOMEM, "terminal");
	if (!tty_is_same_instance(dump, probe, seen, tty_instance(probe, role)))
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

/* ---- when every descriptor is known */

void tty_find_session(struct dump *dump, dev_t behind, TtyInfoEntry *info)
{
	struct dump_task *task;

	dump_for_each_task(task, dump) {
		if (!task->stat.tty_nr || kdev_to_dev(ttynr_to_kdev(task->stat.tty_nr)) != behind)
			continue;
		info->sid = task->t.sid;
		info->pgrp = task->stat.tpgid > 0 ? dump_pid_of(dump, task->stat.tpgid) :
						    0; /* its leader may be in another by now */
		return;
	}
}

/* A terminal whose master is not in the tree. */
static void tty_settle_outside(struct dump *dump, struct tty_seen *seen)
{
	const TtyInfoEntry *info = seen->slave ? seen->slave : seen->own;
	struct tty_dump *all = tty_dump_of(dump);
	char key[TTY_KEY_MAX];

	tty_external_key(makedev(TTY_MAJOR_UNIX98_SLAVE, seen->index), kdev_to_dev(info->dev), key);
	if (!dump->opts->shell_job)
		dump_blocker(
			dump, seen->task, seen->fd,
			"/dev/pts/%u: a terminal whose other end is outside of the tree (the window it was started "
			"in): add --shell-job, and restore it in a terminal with --shell-job too; or --external "
			"'%s', and hand another one over",
			seen->index, key);
	else if (all->has_outside)
		dump_blocker(dump, seen->task, seen->fd,
			     "/dev/pts/%u: a second terminal whose other end is outside of the tree: --shell-job can "
			     "bring back one only; close this one, or add --external '%s'",
			     seen->index, key);
	else if (seen->hung)
		dump_blocker(dump, seen->task, seen->fd,
			     "/dev/pts/%u: was hung up, and is in use again, with its other end outside of the tree: "
			     "close what was hung up",
			     seen->index);
	all->has_outside = true;
}

static int tty_write_bytes(struct dump *dump, uint32_t info_id, struct tty_bytes *bytes)
{
	TtyDataEntry entry = TTY_DATA_ENTRY__INIT;

	if (!bytes->len && !bytes->nr_eof)
		return 0;
	entry.tty_id = info_id;
	entry.data.data = bytes->data;
	entry.data.len = bytes->len;
	entry.n_eof_at = bytes->nr_eof;
	entry.eof_at = bytes->eof_at;
	return tty_write(dump, IMAGE_TTY_DATA, &entry.base);
}

static int tty_save_content(struct dump *dump, struct tty_seen *seen)
{
	struct tty_content *content = NULL;
	int err = guard_begin(dump);

	if (err)
		return err;
	err = tty_copy_content(seen->master_fd, seen->slave_fd, dump->guard, &content);
	if (err == -EPERM) {
		log_warn("bytes that wait to be read in terminal %u are not kept: that needs CAP_SYS_ADMIN",
			 seen->index);
		return 0;
	}
	if (err < 0)
		return fail(err, "copy what waits to be read in terminal %u", seen->index);
	if (!content)
		return 0;
	seen->master->has_packet_status = content->packet_status;
	seen->master->packet_status = content->packet_status;
	seen->master->has_stopped = content->stopped;
	seen->master->stopped = content->stopped;
	err = tty_write_bytes(dump, tty_info_id(seen->index, TTY_MASTER), &content->shown);
	if (!err)
		err = tty_write_bytes(dump, tty_info_id(seen->index, TTY_SLAVE), &content->typed);
	tty_content_free(content);
	return err;
}

static int tty_settle(struct dump *dump, struct tty_seen *seen)
{
	dev_t behind = makedev(TTY_MAJOR_UNIX98_SLAVE, seen->index);
	int err = 0;

	if (!seen->master && (seen->slave || seen->own) && !tty_place_is_external(dump, behind))
		tty_settle_outside(dump, seen);
	/* Also of one that all have closed: /dev/tty leads there, and its signals reach them. */
	if (seen->slave || seen->master)
		tty_find_session(dump, behind, seen->slave ? seen->slave : seen->master);
	/* With a blocker the dump fails anyway: leave the terminal alone. */
	if (seen->master_fd >= 0 && !dump->blockers.nr && !dump->checking)
		err = tty_save_content(dump, seen);
	if (!err && seen->master)
		err = tty_write(dump, IMAGE_TTY_INFO, &seen->master->base);
	if (!err && seen->slave)
		err = tty_write(dump, IMAGE_TTY_INFO, &seen->slave->base);
	if (!err && seen->hung)
		err = tty_write(dump, IMAGE_TTY_INFO, &seen->hung->base);
	if (!err && seen->own)
		err = tty_write(dump, IMAGE_TTY_INFO, &seen->own->base);
	return err;
}

static bool tty_is_saved(struct tty_dump *all, dev_t behind, uint32_t sid)
{
	if (major(behind) != TTY_MAJOR_UNIX98_SLAVE)
		return tty_place_has_session(all ? all->places : NULL, sid);
	for (struct tty_seen *seen = all ? all->seen : NULL; seen; seen = seen->next)
		if (seen->index == minor(behind))
			return seen->master || seen->slave || seen->own;
	return tty_place_has_session(all ? all->places : NULL, sid);
}

/* Nobody in the tree has it open: it has no descriptor to bring it back by. */
static void tty_tell_lost(struct dump *dump)
{
	struct tty_dump *all = *dump_kind_data(dump, &tty_kind);
	struct dump_task *task;

	dump_for_each_task(task, dump) {
		dev_t behind = kdev_to_dev(ttynr_to_kdev(task->stat.tty_nr));

		if (task->t.pid == task->t.sid && task->stat.tty_nr && !tty_is_saved(all, behind, task->t.sid))
			log_warn("pid %d: its session has the terminal %u:%u, which nobody in the tree has open: it "
				 "comes back without a terminal",
				 task->t.host_pid, major(behind), minor(behind));
	}
}

/* It is known now whether a slave's master is in the tree. */
int tty_save_end(struct dump *dump)
{
	struct tty_dump *all = *dump_kind_data(dump, &tty_kind);
	int err = 0;

	tty_tell_lost(dump);

	for (struct tty_seen *seen = all ? all->seen : NULL; seen && !err; seen = seen->next)
		err = tty_settle(dump, seen);
	tty_save_undo(dump);
	return err;
}

void tty_save_undo(struct dump *dump)
{
	struct tty_dump *all = *dump_kind_data(dump, &tty_kind);

	for (struct tty_seen *seen = all ? all->seen : NULL; seen; seen = seen->next) {
		if (seen->master_fd >= 0)
			close(steal_fd(&seen->master_fd));
		if (seen->slave_fd >= 0)
			close(steal_fd(&seen->slave_fd));
	}
}
