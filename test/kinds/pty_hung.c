// SPDX-License-Identifier: GPL-2.0-only
/*
 * Slaves disconnected by vhangup(2) from a terminal that is still in use, as login(1) leaves them: they read an end of
 * file and cannot be written to, beside descriptors opened since, and alone.
 * test: breaks=2 decode=yes
 */
#include "checkpoint.h"
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>

struct pair {
	int master;
	char name[64];
};

static void open_pair(struct pair *p)
{
	int number, lock = 0;

	p->master = open("/dev/ptmx", O_RDWR | O_NOCTTY);
	need(p->master >= 0 && !ioctl(p->master, TIOCSPTLCK, &lock) && !ioctl(p->master, TIOCGPTN, &number), "ptmx");
	snprintf(p->name, sizeof(p->name), "/dev/pts/%d", number);
}

static int hang_up(void *arg)
{
	const struct pair *p = arg;
	int tty;

	signal(SIGHUP, SIG_IGN);
	setsid();
	tty = open(p->name, O_RDWR);
	need(tty >= 0 && !ioctl(tty, TIOCSCTTY, 0) && !vhangup(), "vhangup");
	return 0;
}

static short poll_events(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN | POLLOUT };

	return (short)(poll(&p, 1, 0) < 0 ? -1 : p.revents);
}

int main(int argc, char **argv)
{
	int hung, reader, copy, slave, alone, now, brk;
	struct termios want, got;
	struct stat st, live;
	struct pair a, b;
	char buf[16];

	test_init(argc, argv);
	open_pair(&a);
	open_pair(&b);
	hung = open(a.name, O_RDWR | O_NOCTTY);
	reader = open(a.name, O_RDONLY | O_NOCTTY | O_NONBLOCK);
	copy = dup(reader);
	alone = open(b.name, O_RDWR | O_NOCTTY);
	join_task(fork_task(hang_up, &a));
	join_task(fork_task(hang_up, &b));
	slave = open(a.name, O_RDWR | O_NOCTTY);
	need(hung >= 0 && reader >= 0 && alone >= 0 && slave >= 0 && !tcgetattr(slave, &want), "slaves");
	want.c_lflag &= ~(tcflag_t)ECHO;
	want.c_cc[VERASE] = 'Q';
	need(!tcsetattr(slave, TCSANOW, &want) && write(a.master, "line\nrest", 9) == 9, "type");
	sleep_ms(20);

	brk = checkpoint_here();
	if (brk == 1)
		need(read(slave, buf, 2) == 2, "break");
	if (brk == 2)
		dup2(slave, hung);

	check(poll_events(hung) == (POLLIN | POLLOUT | POLLERR | POLLHUP), "poll: %#x", poll_events(hung));
	check(write(hung, "x", 1) < 0 && errno == EIO && tcgetattr(hung, &got) < 0 && errno == EIO,
	      "can be written to");
	check(read(reader, buf, 16) == 0 && read(copy, buf, 16) == 0 && read(alone, buf, 16) == 0, "no end of file");
	check((fcntl(reader, F_GETFL) & (O_ACCMODE | O_NONBLOCK)) == (O_RDONLY | O_NONBLOCK), "flags");
	check(fcntl(copy, F_SETFL, 0) == 0 && !(fcntl(reader, F_GETFL) & O_NONBLOCK), "shares its flags");
	check(!fstat(hung, &st) && !fstat(slave, &live) && st.st_rdev == live.st_rdev && st.st_ino == live.st_ino,
	      "device");
	check(!tcgetattr(slave, &got) && got.c_lflag == want.c_lflag && got.c_cc[VERASE] == 'Q', "settings");
	check(read(slave, buf, 16) == 5 && !memcmp(buf, "line\n", 5), "the line");
	check(write(a.master, "!\n", 2) == 2 && read(slave, buf, 16) == 6 && !memcmp(buf, "rest!\n", 6), "the rest");
	check(!(poll_events(b.master) & POLLHUP), "the other master sees a hangup");
	now = open(b.name, O_RDWR | O_NOCTTY);
	check(now >= 0 && write(now, "new", 3) == 3 && read(b.master, buf, 16) == 3 && !memcmp(buf, "new", 3),
	      "opened again");
	check(read(alone, buf, 16) == 0, "the disconnected one reads data");
	test_done();
}
