// SPDX-License-Identifier: GPL-2.0-only
/*
 * Dump of terminals, when all descriptors are known, so that it is known whether a slave's master is in the tree: if
 * not, it is the user's terminal (--shell-job).
 */
#include <errno.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include "kernel/device.h"
#include "kinds/fd/tty/internal.h"
#include "kinds/kinds.h"
#include "run/dump.h"
#include "run/guard.h"
#include "tty.pb-c.h"
#include "util/fds.h"
#include "util/log.h"

/* The terminal of a container: whoever has its master gets another one. */
static bool tty_gets_other_master(const struct dump *dump, const TtyInfoEntry *info)
{
	const struct dump_task *task;

	if (!dump->opts->orphan_pts_master || !info->sid)
		return false;
	dump_for_each_task(task, dump)
		if ((uint32_t)task->t.pid == info->sid)
			return true;
	return false;
}

/* A terminal whose master is not in the tree. */
static void tty_check_users_terminal(struct dump *dump, struct tty_seen *seen)
{
	const TtyInfoEntry *info = seen->slave ? seen->slave : seen->own;
	struct tty_dump *all = tty_dump_of(dump);
	char key[TTY_KEY_MAX];

	tty_external_key(makedev(TTY_MAJOR_UNIX98_SLAVE, seen->index), info->dev, key);
	if (tty_gets_other_master(dump, info))
		return;
	if (!dump->opts->shell_job)
		dump_blocker(
			dump, seen->task, seen->fd,
			"/dev/pts/%u: a terminal whose other end is outside the tree (the window it was started in); "
			"use --shell-job, both now and at restore, and restore it in a terminal; or use --external "
			"'%s', and pass another one at restore",
			seen->index, key);
	else if (all->has_users_terminal)
		dump_blocker(dump, seen->task, seen->fd,
			     "/dev/pts/%u: a second terminal whose other end is outside the tree: --shell-job can "
			     "restore only one; close this one, or use --external '%s'",
			     seen->index, key);
	else if (seen->hung)
		dump_blocker(dump, seen->task, seen->fd,
			     "/dev/pts/%u: was hung up and is in use again, with its other end outside the tree; close "
			     "the descriptors that were hung up",
			     seen->index);
	all->has_users_terminal = true;
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
	if (err < 0)
		return fail(err, "copy the unread data of terminal %u", seen->index);
	if (!content)
		return 0;
	seen->master->has_packet_status = content->packet_status;
	seen->master->packet_status = content->packet_status;
	seen->master->has_stopped = content->stopped;
	seen->master->stopped = content->stopped;
	err = tty_write_bytes(dump, tty_info_id(seen->index, TTY_MASTER), &content->output);
	if (!err)
		err = tty_write_bytes(dump, tty_info_id(seen->index, TTY_SLAVE), &content->input);
	tty_content_free(content);
	return err;
}

/*
 * When neither end is in use, a slave is hung up without a right. Otherwise only vhangup does it: the end of its session hangs up
 * other terminals, but not this kind.
 */
static void tty_check_hung(struct dump *dump, const struct tty_seen *seen)
{
	const struct rights *rights = dump->inside ? dump->inside : &dump->rights;

	if (seen->hung && (seen->master || seen->slave) && !rights_may(rights, RIGHT_HANG_UP))
		dump_blocker(dump, seen->task, seen->fd,
			     "/dev/pts/%u: was hung up (vhangup), and is in use: hanging it up again %s: close the "
			     "descriptors that were hung up, or run criu as root, without a user namespace",
			     seen->index, rights_text(RIGHT_HANG_UP));
}

static int tty_finish_pair(struct dump *dump, struct tty_seen *seen)
{
	dev_t behind = makedev(TTY_MAJOR_UNIX98_SLAVE, seen->index);
	int err = 0;

	/* Even if all tasks have closed it: /dev/tty leads to it, and its signals reach them. */
	if (seen->slave || seen->master)
		tty_find_session(dump, behind, seen->slave ? seen->slave : seen->master);
	if (!seen->master && (seen->slave || seen->own) && !tty_external_is_given(dump, behind))
		tty_check_users_terminal(dump, seen);
	tty_check_hung(dump, seen);
	/* With a blocker the dump fails anyway: leave the terminal alone. */
	if (seen->master_fd >= 0 && !dump->blockers.nr && !dump_is_check(dump))
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
		return tty_external_has_session(all ? all->externals : NULL, sid);
	for (struct tty_seen *seen = all ? all->seen : NULL; seen; seen = seen->next)
		if (seen->index == minor(behind))
			return seen->master || seen->slave || seen->own;
	return tty_external_has_session(all ? all->externals : NULL, sid);
}

/* No task in the tree has it open, so there is no descriptor to restore it by. */
static void tty_report_lost(struct dump *dump)
{
	struct tty_dump *all = *dump_kind_data(dump, &tty_kind);
	struct dump_task *task;

	dump_for_each_task(task, dump) {
		dev_t behind = kdev_to_dev(ttynr_to_kdev(task->stat.tty_nr));

		if (task->t.pid == task->t.sid && task->stat.tty_nr && !tty_is_saved(all, behind, task->t.sid))
			log_warn("pid %d: its session has the terminal %u:%u, which no task in the tree has open: it "
				 "is restored without a controlling terminal",
				 task->t.host_pid, major(behind), minor(behind));
	}
}

/* By now it is known whether a slave's master is in the tree. */
int tty_save_end(struct dump *dump)
{
	struct tty_dump *all = *dump_kind_data(dump, &tty_kind);
	int err = 0;

	tty_report_lost(dump);

	for (struct tty_seen *seen = all ? all->seen : NULL; seen && !err; seen = seen->next)
		err = tty_finish_pair(dump, seen);
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
