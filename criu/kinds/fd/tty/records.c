// SPDX-License-Identifier: GPL-2.0-only
/* Dump of terminals: records common to all of them, and per-run data. */
#include <asm/termbits.h>
#include <errno.h>
#include <string.h>
#include "image/writer.h"
#include "kernel/device.h"
#include "kernel/pid_ns_proc.h"
#include "kinds/fd/tty/internal.h"
#include "kinds/kinds.h"
#include "run/dump.h"
#include "tty.pb-c.h"
#include "util/log.h"

struct tty_dump *tty_dump_of(struct dump *dump)
{
	struct tty_dump *all = *dump_kind_data(dump, &tty_kind);

	if (!all)
		all = *dump_kind_data(dump, &tty_kind) = dump_alloc(dump, sizeof(*all));
	return all;
}

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
	/* The code for the speed, as in libc; a speed without a code is stored as a number. */
	entry->c_ispeed = speed == BOTHER ? t->ispeed : speed;
	entry->c_ospeed = speed == BOTHER ? t->ospeed : speed;
	entry->n_c_cc = TTY_NCC;
	entry->c_cc = dump_alloc(dump, TTY_NCC * sizeof(*entry->c_cc));
	if (!entry->c_cc)
		return fail(-ENOMEM, "terminal");
	/* The format has numbers; CRIU stores the bytes as they are in memory, in the first ones. */
	memcpy(entry->c_cc, t->cc, TTY_NCC);
	*ret_entry = entry;
	return 0;
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
	return err < 0 ? fail(err, "%s", image_store_error(dump->dir)) : 0;
}

/*
 * As the tree sees it: /proc shows it to us by our number. The number of a group that has no process left is in no other file;
 * in a pid namespace that is not ours it is read in the procfs of that.
 */
static pid_t foreground_group(struct dump *dump, const struct dump_task *task)
{
	_cleanup_proc_ struct proc proc = PROC_CLOSED;
	pid_t pgrp = task->stat.tpgid > 0 ? dump_pid_of(dump, task->stat.tpgid) : 0;
	struct proc_stat inside;
	int err;

	if (task->stat.tpgid <= 0 || pgrp || dump->pid_ns < 0)
		return pgrp;
	err = pid_ns_proc_open(dump->pid_ns, task->t.pid, &proc);
	if (!err)
		err = proc_stat_read(&proc, &inside);
	if (!err)
		return inside.tpgid > 0 ? inside.tpgid : 0;
	dump_blocker(
		dump, task, -1,
		"the foreground group of its terminal has no process left, and its number cannot be read in the pid namespace (errno %d)",
		-err);
	return 0;
}

/* Then it gets another one for a moment, which needs its number in the namespace of the session's leader. */
static void check_empty_group(struct dump *dump, const TtyInfoEntry *info)
{
	const struct dump_task *leader = NULL;
	struct dump_task *task;

	dump_for_each_task(task, dump) {
		if (task->t.pgid == (pid_t)info->pgrp)
			return;
		if (task->t.pid == (pid_t)info->sid)
			leader = task;
	}
	if (leader && leader->t.pid_ns)
		dump_blocker(
			dump, leader, -1,
			"the foreground group of its terminal has no process left, and it is in a nested pid namespace: that is not supported");
}

void tty_find_session(struct dump *dump, dev_t behind, TtyInfoEntry *info)
{
	struct dump_task *task;

	dump_for_each_task(task, dump) {
		if (!task->stat.tty_nr || kdev_to_dev(ttynr_to_kdev(task->stat.tty_nr)) != behind)
			continue;
		info->sid = task->t.sid;
		/* Its leader may be in another session by now. */
		info->pgrp = foreground_group(dump, task);
		if (info->pgrp)
			check_empty_group(dump, info);
		return;
	}
}
