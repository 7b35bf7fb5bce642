// SPDX-License-Identifier: GPL-2.0-only
/* Restore of terminals: whose controlling terminal one is, and who is in its foreground. */
#include <errno.h>
#include <linux/sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "kernel/proc_pid.h"
#include "kinds/fd/tty/internal.h"
#include "run/restore.h"
#include "tty.pb-c.h"
#include "util/log.h"

static uint32_t tty_sid(const struct tty_pair *pair)
{
	return pair->slave && pair->slave->sid ? pair->slave->sid : pair->master ? pair->master->sid : 0;
}

static uint32_t tty_pgrp(const struct tty_pair *pair)
{
	return pair->slave && pair->slave->pgrp ? pair->slave->pgrp : pair->master ? pair->master->pgrp : 0;
}

static struct tty_pair *tty_pair_of_session(struct tty_restore *all, pid_t sid)
{
	for (size_t i = 0; i < all->nr_pairs; i++)
		if (tty_sid(&all->pairs[i]) == (uint32_t)sid)
			return &all->pairs[i];
	return NULL;
}

int terminal_session(struct restore *r, struct restore_task *task)
{
	struct tty_restore *all = tty_restore_of(r);
	struct tty_external *external;
	struct tty_pair *pair;
	int fd;

	if (!all || task->t.pid != task->t.sid)
		return 0;
	pair = tty_pair_of_session(all, task->t.sid);
	external = pair ? NULL : tty_external_of_session(all, (uint32_t)task->t.sid);
	if (!pair && (!external || external->fd < 0))
		return 0;
	fd = external ? external->fd : pair == all->own ? all->terminal_fd : pair->slave_fd;
	if (fd < 0)
		return 0; /* its master was closed: it is nobody's terminal any more */
	if (!ioctl(fd, TIOCSCTTY, 0)) {
		if (external)
			external->taken = true;
		return 0;
	}
	if (!external && pair != all->own)
		return fail(-errno, "make terminal %u the one of session %d", pair->index, task->t.sid);
	/* It belongs to the session of the person's shell, and stealing it would take the shell down. */
	log_warn("session %d had a terminal of its own; the one it is restored in belongs to another session, so keys "
		 "like ^C and job control do not work there",
		 task->t.sid);
	return 0;
}

/*
 * The group that stands for @pgid of the images: another one where that was outside of the tree. 0: none. Zombies are a
 * group too: the shell has not heard of them yet.
 */
static pid_t tty_live_group(struct restore *r, pid_t pgid)
{
	struct restore_task *task;

	restore_for_each_task(task, r) {
		if (pgid && task->t.pgid == pgid) {
			/* A task sees the others by the tree's own numbers; only the tool has theirs in its namespace. */
			pid_t now = getpgid(r->process.task ? task->t.pid : task->t.host_pid);

			return now > 0 ? now : 0;
		}
	}
	return 0;
}

static int tty_act_group(int fd, const void *pgid)
{
	return tcsetpgrp(fd, *(const pid_t *)pgid) < 0 ? -errno : 0;
}

/* The person's terminal gets the settings of the tree and its foreground group, when the tree is about to run. */
int tty_ready(struct restore *r)
{
	struct tty_restore *all = tty_restore_of(r);
	struct tty_termios t;
	pid_t pgid;
	int err;

	err = all ? tty_externals_ready(r) : 0;
	if (err || !all || !all->own)
		return err;
	pgid = tty_live_group(r, (pid_t)tty_pgrp(all->own));
	if (!pgid)
		return 0; /* a job of the background leaves the terminal as it is */
	err = tty_termios_load(all->own->slave->termios, &t);
	if (err < 0)
		return err;
	err = tty_unstopped(all->terminal_fd, tty_act_settings, &t);
	if (err < 0)
		return fail(err, "settings of the terminal");
	err = tty_unstopped(all->terminal_fd, tty_act_group, &pgid);
	if (err < 0)
		log_warn("group %d cannot become the foreground of the terminal: error %d", pgid, -err);
	return 0;
}

/* Bounded: no event tells that a task waits in its system call again. A signal before that would not end the call. */
static void tty_await_waiting(struct restore *r, pid_t pgid)
{
	struct restore_task *task;
	int patience = 20;

	restore_for_each_task(task, r) {
		bool waits = task->t.pgid != pgid || task->t.state != TASK_ALIVE;

		for (; !waits && patience; patience--) {
			_cleanup_proc_ struct proc proc = PROC_CLOSED;
			struct proc_stat stat;

			waits = proc_open(task->t.host_pid, &proc) < 0 || proc_stat_read(&proc, &stat) < 0 ||
				stat.state != 'R';
			if (!waits)
				usleep(1000); /* style: see above */
		}
	}
}

/* Programs draw anew when the window has another size. */
static void tty_tell_size(struct restore *r, int fd, const WinsizeEntry *was, uint32_t pgrp)
{
	struct winsize ws;
	pid_t pgid;

	if (!was || fd < 0 || ioctl(fd, TIOCGWINSZ, &ws) < 0 || (ws.ws_row == was->ws_row && ws.ws_col == was->ws_col))
		return;
	pgid = tty_live_group(r, (pid_t)pgrp);
	if (!pgid)
		return;
	tty_await_waiting(r, (pid_t)pgrp);
	if (kill(-pgid, SIGWINCH) < 0)
		log_debug("group %d cannot be told the size of its window", pgid);
}

void tty_running(struct restore *r)
{
	struct tty_restore *all = tty_restore_of(r);

	if (all && all->own)
		tty_tell_size(r, all->terminal_fd, all->own->slave->winsize, tty_pgrp(all->own));
	for (size_t i = 0; all && i < all->nr_externals; i++)
		tty_tell_size(r, all->externals[i].fd, all->externals[i].info->winsize, all->externals[i].info->pgrp);
}

/* Leads group @pid, takes the terminal and is gone. -EEXIST: somebody else has that number. */
static int tty_pass_by(int fd, pid_t pid)
{
	struct clone_args args = { .set_tid = (uintptr_t)&pid, .set_tid_size = 1 };
	int patience = 20, status = -1;
	long child;

	/* Others of this restore fork for a moment, too, with whatever number comes. */
	while ((child = syscall(SYS_clone3, &args, sizeof(args))) < 0 && errno == EEXIST && patience--)
		usleep(1000); /* style: see above; nothing tells of the end of somebody else's child */
	if (child < 0)
		return -errno;
	if (!child) {
		int err = setpgid(0, 0) < 0 ? -errno : tty_unstopped(fd, tty_act_group, &pid);

		syscall(SYS_exit_group, -err);
	}
	while (waitpid(pid, &status, __WALL) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -EIO;
}

/*
 * A group that nobody is left in stays in the foreground until the shell takes the terminal back, so that keys reach
 * nobody, and tcgetpgrp(3) tells its number. That may be another task's by now, here or there: then any that is free.
 */
static int tty_make_empty_group(struct restore *r, int fd, pid_t pgid)
{
	pid_t pid = pgid;
	uint64_t ignored;
	int err = -EEXIST;

	for (; err == -EEXIST && pid > 1; pid--)
		if (!hash_get(&r->plan.tids, (uint64_t)pid, &ignored))
			err = tty_pass_by(fd, pid);
	if (!err && pid + 1 != pgid)
		log_warn("the foreground group of a terminal, %d, in which nobody is left, is %d now: that number is "
			 "taken",
			 pgid, pid + 1);
	return err;
}

int terminal_apply(struct restore *r, struct restore_task *task)
{
	struct tty_restore *all = tty_restore_of(r);
	struct tty_external *external = NULL;
	struct tty_pair *pair;
	pid_t was, pgid;
	int err, fd;

	if (!all || task->t.pid != task->t.sid)
		return 0;
	pair = tty_pair_of_session(all, task->t.sid);
	if (!pair)
		external = tty_external_of_session(all, (uint32_t)task->t.sid);
	fd = external && external->taken ? external->fd : pair && pair != all->own ? pair->slave_fd : -1;
	was = fd < 0 ? 0 : (pid_t)(external ? external->info->pgrp : tty_pgrp(pair));
	if (!was)
		return 0;
	pgid = tty_live_group(r, was);
	err = pgid ? tty_unstopped(fd, tty_act_group, &pgid) : tty_make_empty_group(r, fd, was);
	return err < 0 ? fail(err, "make group %d the foreground of the terminal of session %d", was, task->t.sid) : 0;
}

void tty_failed(struct restore *r)
{
	struct tty_restore *all = tty_restore_of(r);

	if (all)
		tty_externals_failed(r);
	if (!all || all->terminal_fd < 0)
		return;
	if (tty_unstopped(all->terminal_fd, tty_act_settings, &all->before) < 0)
		log_warn("the terminal's settings could not be put back: try `stty sane`");
	if (all->group_before > 0)
		tty_unstopped(all->terminal_fd, tty_act_group, &all->group_before);
}
