// SPDX-License-Identifier: GPL-2.0-only
/* Restore of terminals: controlling terminals and foreground process groups. */
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
		return 0; /* its master was closed: it is no controlling terminal any more */
	if (!ioctl(fd, TIOCSCTTY, 0)) {
		if (external)
			external->is_controlling = true;
		return 0;
	}
	if (!external && pair != all->own)
		return fail(-errno, "make terminal %u the controlling terminal of session %d", pair->index,
			    task->t.sid);
	/* It belongs to the session of the user's shell, and stealing it would end the shell. */
	log_warn("session %d had a controlling terminal; the terminal that it is restored in belongs to another "
		 "session, so keys like ^C and job control do not work in it",
		 task->t.sid);
	return 0;
}

/*
 * The group for the saved @pgid: a different one if that was outside the tree. 0: none. A group of zombies counts: the
 * shell has not reaped them yet.
 */
static pid_t tty_current_group(struct restore *r, pid_t pgid)
{
	struct restore_task *task;

	restore_for_each_task(task, r) {
		if (pgid && task->t.pgid == pgid) {
			pid_t pid = r->process.task ? restore_number_of(r, task->t.pid) : task->t.host_pid;
			pid_t now = pid > 0 ? getpgid(pid) : 0;

			return now > 0 ? now : 0;
		}
	}
	return 0;
}

static int tty_call_set_group(int fd, const void *pgid)
{
	return tcsetpgrp(fd, *(const pid_t *)pgid) < 0 ? -errno : 0;
}

/* Gives the user's terminal the settings and foreground group of the tree, right before it runs. */
int tty_ready(struct restore *r)
{
	struct tty_restore *all = tty_restore_of(r);
	struct tty_termios t;
	pid_t pgid;
	int err;

	err = all ? tty_externals_ready(r) : 0;
	if (err || !all || !all->own)
		return err;
	pgid = tty_current_group(r, (pid_t)tty_pgrp(all->own));
	if (!pgid)
		return 0; /* a background job leaves the terminal as it is */
	err = tty_termios_load(all->own->slave->termios, &t);
	if (err < 0)
		return err;
	err = tty_without_sigttou(all->terminal_fd, tty_call_set_termios, &t);
	if (err < 0)
		return fail(err, "settings of the terminal");
	err = tty_without_sigttou(all->terminal_fd, tty_call_set_group, &pgid);
	if (err < 0)
		log_warn("group %d cannot become the foreground of the terminal: error %d", pgid, -err);
	return 0;
}

/*
 * Bounded: no event reports that a task is waiting in its system call again. A signal before that would not end the
 * call.
 */
static void tty_await_call(struct restore *r, pid_t pgid)
{
	struct restore_task *task;
	int patience = 20;

	restore_for_each_task(task, r) {
		bool in_call = task->t.pgid != pgid || task->t.state != TASK_ALIVE;

		for (; !in_call && patience; patience--) {
			_cleanup_proc_ struct proc proc = PROC_CLOSED;
			struct proc_stat stat;

			in_call = proc_open(task->t.host_pid, &proc) < 0 || proc_stat_read(&proc, &stat) < 0 ||
				  stat.state != 'R';
			if (!in_call)
				usleep(1000); /* style: see above */
		}
	}
}

/* Programs redraw if the window has another size. */
static void tty_send_winch(struct restore *r, int fd, const WinsizeEntry *was, uint32_t pgrp)
{
	struct winsize ws;
	pid_t pgid;

	if (!was || fd < 0 || ioctl(fd, TIOCGWINSZ, &ws) < 0 || (ws.ws_row == was->ws_row && ws.ws_col == was->ws_col))
		return;
	pgid = tty_current_group(r, (pid_t)pgrp);
	if (!pgid)
		return;
	tty_await_call(r, (pid_t)pgrp);
	if (kill(-pgid, SIGWINCH) < 0)
		log_debug("group %d could not be sent SIGWINCH", pgid);
}

void tty_running(struct restore *r)
{
	struct tty_restore *all = tty_restore_of(r);

	if (all && all->own)
		tty_send_winch(r, all->terminal_fd, all->own->slave->winsize, tty_pgrp(all->own));
	for (size_t i = 0; all && i < all->nr_externals; i++)
		tty_send_winch(r, all->externals[i].fd, all->externals[i].info->winsize, all->externals[i].info->pgrp);
}

/* Creates group @pid, makes it the foreground group and exits. -EEXIST: another process has that pid. */
static int tty_set_dead_group(int fd, pid_t pid)
{
	struct clone_args args = { .set_tid = (uintptr_t)&pid, .set_tid_size = 1 };
	int patience = 20, status = -1;
	long child;

	/* Other tasks of this restore fork for a moment, too, and may get this pid. */
	while ((child = syscall(SYS_clone3, &args, sizeof(args))) < 0 && errno == EEXIST && patience--)
		usleep(1000); /* style: see above; no event reports the end of another process's child */
	if (child < 0)
		return -errno;
	if (!child) {
		int err = setpgid(0, 0) < 0 ? -errno : tty_without_sigttou(fd, tty_call_set_group, &pid);

		syscall(SYS_exit_group, -err);
	}
	while (waitpid(pid, &status, __WALL) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -EIO;
}

/*
 * A group without processes remains in the foreground until the shell takes the terminal back, so that keys reach no
 * process, and tcgetpgrp(3) returns its pid. If that pid is in use by now, take any free one.
 */
static int tty_make_empty_group(struct restore *r, int fd, pid_t pgid)
{
	pid_t pid = pgid;
	uint64_t ignored;
	int err = -EEXIST;

	for (; err == -EEXIST && pid > 1; pid--)
		if (!hash_get(&r->plan.tids, (uint64_t)pid, &ignored))
			err = tty_set_dead_group(fd, pid);
	if (!err && pid + 1 != pgid)
		log_warn("the foreground group of a terminal, %d, which is empty, is now %d: that pid is in use", pgid,
			 pid + 1);
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
	fd = external && external->is_controlling ? external->fd : pair && pair != all->own ? pair->slave_fd : -1;
	was = fd < 0 ? 0 : (pid_t)(external ? external->info->pgrp : tty_pgrp(pair));
	if (!was)
		return 0;
	pgid = tty_current_group(r, was);
	err = pgid ? tty_without_sigttou(fd, tty_call_set_group, &pgid) : tty_make_empty_group(r, fd, was);
	return err < 0 ?
		       fail(err, "make group %d the foreground group of the terminal of session %d", was, task->t.sid) :
		       0;
}

void tty_failed(struct restore *r)
{
	struct tty_restore *all = tty_restore_of(r);

	if (all)
		tty_externals_failed(r);
	if (!all || all->terminal_fd < 0)
		return;
	if (tty_without_sigttou(all->terminal_fd, tty_call_set_termios, &all->before) < 0)
		log_warn("could not restore the terminal's settings; try `stty sane`");
	if (all->group_before > 0)
		tty_without_sigttou(all->terminal_fd, tty_call_set_group, &all->group_before);
}
