// SPDX-License-Identifier: GPL-2.0-only
/* Restore of terminals: creates the pairs before any task, and opens them in the tasks. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "kinds/fd/reopen.h"
#include "kinds/fd/tty/internal.h"
#include "kinds/kinds.h"
#include "run/notify.h"
#include "run/path.h"
#include "run/pty.h"
#include "run/restore.h"
#include "tty.pb-c.h"
#include "util/fds.h"
#include "util/log.h"
#include "util/proc_root.h"

/* ---- a pair under its index */

/* The device that creates masters. The path comes from an image, and opening other devices may have side effects. */
static int tty_find_ptmx(struct restore *r, const char *ptmx)
{
	_cleanup_close_ int fd = names_open(r, audience_of_all(r),
					    &(struct name_wanted){ ptmx, O_PATH, NULL, PATH_ROOT_MOUNT }, R_OK | W_OK);
	struct stat st;

	opener_leave(r);
	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0 || !S_ISCHR(st.st_mode) || major(st.st_rdev) != TTY_MAJOR_AUX || minor(st.st_rdev) != 2)
		return fail(-ENODEV, "%s is not a pty master device", ptmx);
	return steal_fd(&fd);
}

static int tty_open_master(struct restore *r, const char *ptmx, uint32_t index, bool exactly)
{
	int fd = exactly ? restore_take_pty(r, index) : -ENOENT;

	if (fd >= 0)
		return fd;
	_cleanup_close_ int devpts = tty_find_ptmx(r, ptmx);
	if (devpts < 0)
		return devpts;
	fd = pty_open_master(devpts, index, exactly);
	if (fd == -EBUSY)
		return fail(fd,
			    "terminal /dev/pts/%u is in use by another process; close it, or restore in a mount "
			    "namespace with its own devpts",
			    index);
	if (fd == -ENODEV)
		return fail(fd, "%s is not a pty master device", ptmx);
	return fd < 0 ? fail(fd, "open %s for terminal %u", ptmx, index) : fd;
}

static void tty_load_bytes(const TtyDataEntry *data, struct tty_bytes *to)
{
	if (!data)
		return;
	to->len = data->data.len;
	to->nr_eof = data->n_eof_at;
	if (to->len)
		memcpy(to->data, data->data.data, to->len);
	if (to->nr_eof)
		memcpy(to->eof_at, data->eof_at, to->nr_eof * sizeof(*to->eof_at));
}

/* Unread data has been processed according to the settings already: they must not apply to it again. */
static int tty_set_up_pair(struct tty_pair *pair, const TtyInfoEntry *info)
{
	_cleanup_free_ struct tty_content *content = calloc(1, sizeof(*content));
	struct tty_termios t;
	int err = tty_termios_load(info->termios, &t);

	if (err < 0)
		return err;
	if (!content)
		return fail(-ENOMEM, "terminal %u", pair->index);
	tty_load_bytes(pair->slave_data, &content->input);
	tty_load_bytes(pair->master_data, &content->output);
	if (pair->master) {
		content->packet = pair->master->packet_mode;
		content->packet_status = (uint8_t)pair->master->packet_status;
		content->stopped = pair->master->stopped;
	}
	err = tty_set_termios(pair->master_fd, &t);
	if (!err)
		err = tty_fill_pair(pair->master_fd, pair->slave_fd, content, &t);
	if (err < 0)
		return fail(err, "settings and unread bytes of terminal %u", pair->index);
	if (info->winsize) {
		struct winsize ws = { (unsigned short)info->winsize->ws_row, (unsigned short)info->winsize->ws_col,
				      (unsigned short)info->winsize->ws_xpixel,
				      (unsigned short)info->winsize->ws_ypixel };

		if (ioctl(pair->master_fd, TIOCSWINSZ, &ws) < 0)
			return fail(-errno, "size of terminal %u", pair->index);
	}
	return 0;
}

/* The mask of locked settings: usually all zero; set for users of the linux console. */
static int tty_lock_settings(const struct tty_pair *pair, const TermiosEntry *locked)
{
	struct tty_termios t;
	int err = tty_termios_load(locked, &t);
	bool any = t.iflag || t.oflag || t.cflag || t.lflag || t.line;

	for (int i = 0; i < TTY_NCC; i++)
		any |= t.cc[i];
	if (!err && any && ioctl(pair->master_fd, TIOCSLCKTRMIOS, &t) < 0)
		err = fail(-errno, "locked settings of terminal %u", pair->index);
	return err;
}

static int tty_open_peer(const struct tty_pair *pair, int flags)
{
	/* O_CLOEXEC would become a permanent flag of the description. */
	int fd = ioctl(pair->master_fd, TIOCGPTPEER, (flags & ~O_CLOEXEC) | O_NOCTTY);

	if (fd < 0)
		return fail(-errno, "open the slave of terminal %u", pair->index);
	set_cloexec(fd, true);
	return fd;
}

static int set_owner(int fd, const TtyInfoEntry *info)
{
	uid_t uid = info->has_uid ? info->uid : (uid_t)-1;
	gid_t gid = info->has_gid ? info->gid : (gid_t)-1;
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -1;
	/* Where the group, which a mount option sets, is not mapped, not even no change is allowed. */
	return (uid == st.st_uid || uid == (uid_t)-1) && (gid == st.st_gid || gid == (gid_t)-1) ? 0 :
												  fchown(fd, uid, gid);
}

static int tty_make_slave(struct restore *r, struct tty_pair *pair)
{
	const TtyInfoEntry *info = pair->slave;
	int fd = tty_open_peer(pair, O_RDWR);

	if (fd < 0)
		return fd;
	pair->slave_fd = fd = tty_keep_fd(r, fd);
	if (fd < 0)
		return fd;
	if (info && set_owner(fd, info) < 0)
		return fail(-errno, "owner of terminal %u", pair->index);
	if (info && info->has_mode && fchmod(fd, info->mode & 07777) < 0)
		return fail(-errno, "permissions of terminal %u", pair->index);
	return 0;
}

/* First of all: hanging up disconnects all open descriptors of the slave and flushes it. */
static int tty_make_hung(struct restore *r, const struct tty_pair *pair)
{
	int last = -1;

	for (struct tty_hung *hung = pair->hung; hung; hung = hung->next) {
		int fd = tty_open_peer(pair, (int)(hung->flags & TTY_OPEN_FLAGS));

		hung->fd = fd = fd < 0 ? fd : tty_keep_fd(r, fd);
		if (fd < 0)
			return fd;
		last = fd;
	}
	if (last < 0)
		return 0;
	if (rights_need(&r->rights, RIGHT_HANG_UP, "hang up a descriptor of terminal %u", pair->index))
		return -EPERM;
	if (ioctl(last, TIOCVHANGUP) < 0)
		return fail(-errno, "hang up a descriptor of terminal %u", pair->index);
	return 0;
}

static int tty_make_pair(struct restore *r, struct tty_pair *pair)
{
	const TtyInfoEntry *info = pair->slave && pair->slave->termios ? pair->slave : pair->master;
	bool alive = pair->master || pair->other_master;
	int unlock = 0, fd = tty_open_master(r, pair->ptmx ? pair->ptmx : TTY_PATH_PTMX, pair->index, alive), err = 0;

	if (fd < 0)
		return fd;
	pair->master_fd = fd = tty_keep_fd(r, fd);
	if (fd < 0)
		return fd;
	if (ioctl(fd, TIOCSPTLCK, &unlock) < 0)
		return fail(-errno, "unlock terminal %u", pair->index);
	err = tty_make_hung(r, pair);
	if (err < 0)
		return err;
	if (pair->has_slave_file || pair->slave || (pair->master && pair->master->sid))
		err = tty_make_slave(r, pair);
	if (!err && info && info->termios)
		err = tty_set_up_pair(pair, info);
	if (!err && info && info->termios_locked)
		err = tty_lock_settings(pair, info->termios_locked);
	/* A master whose slave has been closed reads an end of file; one that never had a slave does not. */
	if (!err && pair->slave_fd < 0 && pair->master && pair->master->hung_up) {
		fd = tty_open_peer(pair, O_RDWR);
		if (fd < 0)
			return fd;
		close(fd);
	}
	return err;
}

/* The terminal that the restore was started in. */
static int tty_find_terminal(struct restore *r, struct tty_restore *all)
{
	int fd = -1;

	for (int i = 0; fd < 0 && i < 3; i++)
		if (isatty(i))
			fd = dup_fd_above(i, r->service_base);
	if (fd < 0) {
		fd = path_open(&PATH_OWN, PATH_ROOT_MOUNT, TTY_PATH_OWN, O_RDWR | O_NOCTTY);
		fd = fd < 0 ? fail(fd, "--shell-job: the images contain a terminal, but the restore was started "
				       "without one; restore in a terminal") :
			      tty_keep_fd(r, fd);
	}
	if (fd < 0)
		return fd;
	all->terminal_fd = fd;
	all->group_before = tcgetpgrp(fd);
	return tty_get_termios(fd, &all->before);
}

int tty_in_namespaces(struct restore *r)
{
	struct tty_restore *all = tty_restore_of(r);
	int err = 0;

	if (!all)
		return 0;
	err = tty_externals_in_namespaces(r);
	if (err)
		return err;
	if (all->own)
		err = tty_find_terminal(r, all);
	for (size_t i = 0; !err && i < all->nr_pairs; i++)
		if (all->pairs[i].master || all->pairs[i].other_master)
			err = tty_make_pair(r, &all->pairs[i]);
	/* Slaves whose master is gone get any free index. */
	for (size_t i = 0; !err && i < all->nr_pairs; i++)
		if (all->pairs[i].master_fd < 0 && !tty_pair_is_users(&all->pairs[i]))
			err = tty_make_pair(r, &all->pairs[i]);
	return err;
}

int tty_before_post_restore(struct restore *r)
{
	struct tty_restore *all = tty_restore_of(r);
	int err = 0;

	for (size_t i = 0; !err && all && i < all->nr_pairs; i++)
		if (all->pairs[i].other_master)
			err = notify_with_fd(r->opts, "orphan-pts-master", all->pairs[i].master_fd);
	return err;
}

void tty_committed(struct restore *r)
{
	struct tty_restore *all = tty_restore_of(r);

	for (size_t i = 0; all && i < all->nr_pairs; i++) {
		if (all->pairs[i].slave_fd >= 0)
			close(steal_fd(&all->pairs[i].slave_fd));
		if (all->pairs[i].master_fd >= 0)
			close(steal_fd(&all->pairs[i].master_fd));
		for (struct tty_hung *hung = all->pairs[i].hung; hung; hung = hung->next)
			if (hung->fd >= 0)
				close(steal_fd(&hung->fd));
	}
}

/* ---- descriptors */

/*
 * A new description of the user's terminal, so that its flags are not shared with the shell; if that fails, the shared
 * one.
 */
static int tty_open_again(int terminal_fd, uint32_t flags)
{
	int fd = proc_fd_open(terminal_fd, (int)(flags & TTY_OPEN_FLAGS) | O_NOCTTY);

	if (fd >= 0)
		return fd;
	log_info("the terminal cannot be opened again (%s): the open one is shared", strerror(-fd));
	fd = dup_fd_above(terminal_fd, 0);
	return fd < 0 ? fail(fd, "duplicate the terminal") : fd;
}

/*
 * /dev/tty as seen by a process whose controlling terminal is @pair: a child that shares our descriptor table becomes
 * one.
 */
static int tty_open_own_elsewhere(const struct restore *r, const struct tty_pair *pair, int flags)
{
	_cleanup_close_ int fd = dup_fd_above(pair->slave_fd, 0); /* reserves its number */
	int status = -1, own;
	pid_t pid;

	if (fd < 0)
		return fail(fd, "reserve a descriptor for /dev/tty");
	pid = (pid_t)syscall(SYS_clone, CLONE_FILES, NULL, NULL, NULL, NULL);
	if (pid == 0) {
		own = -1;
		if (syscall(SYS_setsid) > 0 && !ioctl(fd, TIOCSCTTY, 0))
			own = path_open(&r->roots, PATH_ROOT_MOUNT, TTY_PATH_OWN, (unsigned)flags);
		if (own >= 0 && dup3(own, fd, O_CLOEXEC) >= 0)
			status = 0;
		if (own >= 0)
			close(own);
		syscall(SYS_exit_group, status ? 1 : 0);
	}
	if (pid < 0)
		return fail(-errno, "fork for /dev/tty");
	while (waitpid(pid, &status, __WALL) < 0 && errno == EINTR)
		;
	if (WIFEXITED(status) && !WEXITSTATUS(status))
		return steal_fd(&fd);
	/* Its session is not this task's: open it by its real name. */
	log_info("/dev/tty of another session becomes /dev/pts/%u", pair->index);
	return tty_open_peer(pair, flags);
}

static int tty_open_own(struct restore *r, const struct tty_state *ts, uint32_t image_flags)
{
	const struct tty_external *external =
		ts->pair ? NULL : tty_external_of_session(tty_restore_of(r), ts->info->sid);
	int flags = (int)(image_flags & TTY_OPEN_FLAGS) | O_NOCTTY | O_CLOEXEC;
	_cleanup_close_ int fd = path_open(&r->roots, PATH_ROOT_MOUNT, TTY_PATH_OWN, (unsigned)flags);
	uint32_t index;

	if (fd >= 0 &&
	    (!ts->pair || tty_pair_is_users(ts->pair) || (!tty_index_behind(fd, &index) && index == ts->pair->index)))
		return steal_fd(&fd);
	if (ts->pair && ts->pair->slave_fd >= 0)
		return tty_open_own_elsewhere(r, ts->pair, flags);
	if (external && external->fd >= 0)
		return tty_open_again(external->fd, image_flags);
	return fail(fd < 0 ? fd : -ENXIO, "open /dev/tty");
}

static int tty_open_role(struct restore *r, const struct tty_state *ts, uint32_t flags)
{
	struct tty_restore *all = tty_restore_of(r);
	int fd;

	switch (ts->role) {
	case TTY_MASTER:
		fd = dup_fd_above(ts->pair->master_fd, 0);
		return fd < 0 ? fail(fd, "duplicate the master of terminal %u", ts->pair->index) : fd;
	case TTY_SLAVE:
		if (ts->hung) {
			fd = dup_fd_above(ts->hung->fd, 0);
			return fd < 0 ? fail(fd, "duplicate a descriptor of terminal %u", ts->pair->index) : fd;
		}
		return ts->pair == all->own ? tty_open_again(all->terminal_fd, flags) :
					      tty_open_peer(ts->pair, (int)(flags & TTY_OPEN_FLAGS));
	default:
		return tty_open_own(r, ts, flags);
	}
}

int tty_open(struct restore *r, struct file *file, const void *state)
{
	const TtyFileEntry *tty = file->entry->tty;
	const struct tty_state *ts = state;
	_cleanup_close_ int fd =
		ts->external ? tty_external_open(r, ts->external, tty->flags) : tty_open_role(r, ts, tty->flags);
	int err;

	/* What is passed in is the very descriptor: its flags are shared with the caller. */
	if (fd < 0 || (ts->external && ts->external->given))
		return fd < 0 ? fd : steal_fd(&fd);
	err = set_status_flags(r, fd, tty->flags, tty->fown);
	return err < 0 ? err : steal_fd(&fd);
}

int tty_finish(struct restore *r, struct file *file, const void *state, int fd)
{
	const struct tty_state *ts = state;
	const TtyInfoEntry *info = ts->info;
	int on = 1;

	if (ts->external || ts->role == TTY_OWN || ts->pair == tty_restore_of(r)->own)
		return 0;
	/* Nothing is opened after this. */
	if (ts->role == TTY_MASTER && info->locked && ioctl(fd, TIOCSPTLCK, &on) < 0)
		return fail(-errno, "lock of terminal %u", ts->pair->index);
	if (info->exclusive && ioctl(fd, TIOCEXCL) < 0)
		return fail(-errno, "exclusive mode of terminal %u", ts->pair->index);
	return 0;
}
