// SPDX-License-Identifier: GPL-2.0-only
/*
 * Terminals whose foreground group has no process left: all of it zombies, or reaped, or its pid is that of a task in
 * another group. Keys must reach no process, in particular not the session leader.
 * test: breaks=3 decode=yes flavours=host,pid
 */
#include "checkpoint.h"
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>

enum what { REAPED, ZOMBIE, MOVED, NR_WHAT };

struct session {
	enum what what;
	int master;
	char tty[64], name[32], checked[32], ended[32];
	pid_t pid;
};

static volatile sig_atomic_t interrupts;

static void on_signal(int sig)
{
	interrupts += sig == SIGINT;
}

static int in_foreground(void *arg)
{
	struct session *s = arg;

	setpgid(0, 0);
	if (s->what != MOVED)
		return 3;
	task_ready("founder");
	checkpoint_task("founder ready", 0);
	await_task(s->ended);
	check(!interrupts, "the founder has %d interrupts", (int)interrupts);
	return 3;
}

static int joins(void *arg)
{
	await_task("may join");
	checkpoint_task("joined", 0);
	for (int i = 0; i < 30000 && !interrupts; i++)
		sleep_ms(1);
	check(interrupts == 1, "the member has %d interrupts", (int)interrupts);
	return 0;
}

static int leader(void *arg)
{
	struct session *s = arg;
	pid_t fore, member = 0;
	int tty, status = 0;
	siginfo_t info;

	setsid();
	signal(SIGTTOU, SIG_IGN);
	signal(SIGINT, on_signal);
	tty = open(s->tty, O_RDWR);
	need(tty >= 0 && !ioctl(tty, TIOCSCTTY, 0), "controlling terminal");
	fore = fork_task(in_foreground, s);
	if (s->what == MOVED) {
		member = fork_task(joins, s);
		await_task("founder");
		need(!setpgid(member, fore) && !tcsetpgrp(tty, fore) && !setpgid(fore, getpid()), "move");
		task_ready("may join");
		await_task("joined");
		await_task("founder ready");
	} else {
		need(!waitid(P_PID, (id_t)fore, &info, WEXITED | WNOWAIT) && !tcsetpgrp(tty, fore), "foreground");
	}
	if (s->what == REAPED)
		need(waitpid(fore, &status, 0) == fore, "reap");
	checkpoint_task(s->name, 0);
	if (test_break() == 1 + (int)s->what)
		tcsetpgrp(tty, getpid());
	check(tcgetpgrp(tty) == fore, "%s: foreground group %d is not %d", s->name, tcgetpgrp(tty), fore);
	task_ready(s->checked);
	await_task(s->ended);
	check(!interrupts, "%s: the leader has %d interrupts", s->name, (int)interrupts);
	if (member)
		join_task(member);
	if (s->what != REAPED)
		check(waitpid(fore, &status, 0) == fore && WIFEXITED(status) && WEXITSTATUS(status) == 3, "%s: %#x",
		      s->name, status);
	/* The terminal still works. */
	check(!tcsetpgrp(tty, getpid()) && tcgetpgrp(tty) == getpid(), "%s: becomes the foreground group", s->name);
	return 0;
}

static void start(struct session *s, enum what what)
{
	int lock = 0, number;

	s->what = what;
	s->master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
	need(s->master >= 0 && !ioctl(s->master, TIOCSPTLCK, &lock) && !ioctl(s->master, TIOCGPTN, &number), "ptmx");
	snprintf(s->tty, sizeof(s->tty), "/dev/pts/%d", number);
	snprintf(s->name, sizeof(s->name), "session %d", what);
	snprintf(s->checked, sizeof(s->checked), "session %d checked", what);
	snprintf(s->ended, sizeof(s->ended), "session %d may end", what);
	s->pid = fork_task(leader, s);
	await_task(s->name);
}

int main(int argc, char **argv)
{
	static struct session sessions[NR_WHAT];

	test_init(argc, argv);
	for (int i = 0; i < NR_WHAT; i++)
		start(&sessions[i], (enum what)i);
	checkpoint_here();
	for (int i = 0; i < NR_WHAT; i++) {
		await_task(sessions[i].checked);
		check(write(sessions[i].master, "\003", 1) == 1, "interrupt");
	}
	for (int i = 0; i < NR_WHAT; i++) {
		char echo[8] = "";

		/* The echo shows that the signal has been sent. */
		check(read(sessions[i].master, echo, 2) == 2 && !memcmp(echo, "^C", 2), "echo %s", echo);
		task_ready(sessions[i].ended);
		join_task(sessions[i].pid);
	}
	test_done();
}
