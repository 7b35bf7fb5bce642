// SPDX-License-Identifier: GPL-2.0-only
/*
 * A session with a controlling terminal in the tree: foreground and background groups, signals of the keyboard.
 * test: flavours=host,pid,container,user,nested breaks=1 decode=yes user-root=host,container
 */
#include "checkpoint.h"
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>

static volatile sig_atomic_t interrupts, resizes;

static void on_signal(int sig)
{
	if (sig == SIGINT)
		interrupts++;
	else
		resizes++;
}

static int foreground(void *arg)
{
	char line[32] = "";
	int tty;

	signal(SIGINT, on_signal);
	signal(SIGWINCH, on_signal);
	checkpoint_task("foreground", 0);
	tty = open("/dev/tty", O_RDWR);
	check(tty >= 0 && tcgetpgrp(tty) == getpgid(0), "foreground is %d", tcgetpgrp(tty));
	for (int i = 0; i < 3000 && !(interrupts && resizes); i++)
		sleep_ms(1);
	sleep_ms(20);
	check(interrupts == 1 && resizes == 1, "%d interrupts, %d resizes", (int)interrupts, (int)resizes);
	check(read(0, line, sizeof(line)) == 3 && !memcmp(line, "hi\n", 3), "read %s", line);
	return 0;
}

static int background(void *arg)
{
	char c;

	setpgid(0, 0);
	checkpoint_task("background", 0);
	await_task("typed");
	return (int)read(0, &c, 1); /* must be stopped by SIGTTIN here */
}

static int leader(void *arg)
{
	pid_t fore, back, pgrp;
	int status, tty;

	setsid();
	tty = open(arg, O_RDWR);
	need(tty >= 0 && !ioctl(tty, TIOCSCTTY, 0), "controlling terminal");
	dup2(tty, 0);
	signal(SIGTTOU, SIG_IGN);
	back = fork_task(background, NULL);
	fore = fork_task(foreground, NULL);
	setpgid(fore, fore);
	setpgid(back, back);
	need(!tcsetpgrp(tty, fore), "tcsetpgrp");
	await_task("background");
	await_task("foreground");
	checkpoint_task("leader", 0);
	if (test_break())
		ioctl(tty, TIOCSWINSZ, &(struct winsize){ .ws_row = 1, .ws_col = 2 });
	check(!ioctl(tty, TIOCGSID, &pgrp) && pgrp == getpid(), "session of the terminal %d", pgrp);
	check(tcgetpgrp(tty) == fore, "foreground group %d is not %d", tcgetpgrp(tty), fore);
	task_ready("leader checked");
	check(waitpid(back, &status, WUNTRACED) == back && WIFSTOPPED(status) && WSTOPSIG(status) == SIGTTIN,
	      "background: %#x", status);
	kill(back, SIGKILL);
	check(waitpid(fore, &status, 0) == fore && !status, "foreground: %#x", status);
	waitpid(back, &status, 0);
	return 0;
}

int main(int argc, char **argv)
{
	int master, lock = 0, number;
	char name[64];
	pid_t pid;

	test_init(argc, argv);
	master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
	need(master >= 0 && !ioctl(master, TIOCSPTLCK, &lock) && !ioctl(master, TIOCGPTN, &number), "ptmx");
	snprintf(name, sizeof(name), "/dev/pts/%d", number);
	pid = fork_task(leader, name);
	await_task("leader");
	checkpoint_here();
	await_task("leader checked");
	check(write(master, "\003", 1) == 1, "interrupt");
	ioctl(master, TIOCSWINSZ, &(struct winsize){ .ws_row = 10, .ws_col = 20 });
	sleep_ms(20);
	check(write(master, "hi\n", 3) == 3, "type");
	task_ready("typed");
	join_task(pid);
	test_done();
}
