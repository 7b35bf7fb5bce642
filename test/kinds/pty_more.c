// SPDX-License-Identifier: GPL-2.0-only
/*
 * Terminals in rarer states: typed end-of-file characters, more output than the line buffer holds, a slave whose master
 * is gone, /dev/tty, a slave opened read-only, a speed without a code.
 * test: flavours=host,container,user breaks=2 decode=yes user-root=host
 */
#include "checkpoint.h"
#include <asm/ioctls.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>

struct speed { /* struct termios2 */
	tcflag_t iflag, oflag, cflag, lflag;
	cc_t line, cc[19];
	unsigned int in, out;
};
#define GET_SPEED _IOR('T', 0x2A, struct speed)
#define SET_SPEED _IOW('T', 0x2B, struct speed)

static int open_pair(int *master, int flags)
{
	int number, lock = 0;
	char name[64];

	*master = open("/dev/ptmx", O_RDWR | O_NOCTTY);
	need(*master >= 0 && !ioctl(*master, TIOCSPTLCK, &lock) && !ioctl(*master, TIOCGPTN, &number), "ptmx");
	snprintf(name, sizeof(name), "/dev/pts/%d", number);
	return open(name, flags | O_NOCTTY);
}

static int session(void *arg)
{
	const char *name = arg;
	int tty, own;

	setsid();
	tty = open(name, O_RDWR);
	need(tty >= 0, "controlling terminal");
	own = open("/dev/tty", O_RDWR | O_NONBLOCK);
	need(own >= 0, "/dev/tty");
	close(tty);
	checkpoint_task("session", 0);
	check(write(own, "own", 3) == 3, "/dev/tty");
	check(fcntl(own, F_GETFL) & O_NONBLOCK, "flags of /dev/tty");
	tty = open("/dev/tty", O_RDWR);
	check(tty >= 0 && tcgetpgrp(tty) == getpid(), "not the controlling terminal any more");
	return 0;
}

static int output(int master, char *buf, int size)
{
	struct pollfd p = { .fd = master, .events = POLLIN };
	int n = 0, got;

	while (n < size && poll(&p, 1, 50) == 1 && p.revents & POLLIN &&
	       (got = (int)read(master, buf + n, (size_t)(size - n))) > 0)
		n += got;
	return n;
}

int main(int argc, char **argv)
{
	int lines, lines_slave, big, big_slave, gone, gone_slave, readonly, readonly_slave, own, own_slave, fast,
		fast_slave, number, n, brk;
	static char out[9000], buf[20000];
	struct termios raw;
	struct speed speed;
	char name[64];
	pid_t pid;

	test_init(argc, argv);
	lines_slave = open_pair(&lines, O_RDWR);
	big_slave = open_pair(&big, O_RDWR);
	gone_slave = open_pair(&gone, O_RDWR);
	readonly_slave = open_pair(&readonly, O_RDONLY | O_NONBLOCK);
	own_slave = open_pair(&own, O_RDWR);
	fast_slave = open_pair(&fast, O_RDWR);

	need(write(lines, "ab\004\004c\nrest", 10) == 10, "type");
	tcgetattr(big_slave, &raw);
	cfmakeraw(&raw);
	tcsetattr(big_slave, TCSANOW, &raw);
	fill(out, sizeof(out), 7);
	need(write(big_slave, out, sizeof(out)) == sizeof(out), "much output");
	close(gone);
	need(!ioctl(fast_slave, GET_SPEED, &speed), "speed");
	speed.cflag = (speed.cflag & ~(tcflag_t)0010017) | 0010000;
	speed.in = speed.out = 123456;
	need(!ioctl(fast_slave, SET_SPEED, &speed), "speed");
	ioctl(own, TIOCGPTN, &number);
	snprintf(name, sizeof(name), "/dev/pts/%d", number);
	pid = fork_task(session, name);
	await_task("session");
	need(write(readonly, "x\n", 2) == 2, "write");
	sleep_ms(20);

	brk = checkpoint_here();
	if (brk == 1)
		need(read(lines_slave, buf, 10) == 2, "break");
	if (brk == 2)
		need(read(big, buf, 1) == 1, "break");

	n = (int)read(lines_slave, buf, 256);
	check(n == 2 && !memcmp(buf, "ab", 2), "ended by an end-of-file character: %d", n);
	n = (int)read(lines_slave, buf, 256);
	check(n == 0, "the end of file: %d", n);
	n = (int)read(lines_slave, buf, 256);
	check(n == 2 && !memcmp(buf, "c\n", 2), "the line after it: %d", n);
	check(write(lines, "!\n", 2) == 2 && read(lines_slave, buf, 256) == 6 && !memcmp(buf, "rest!\n", 6),
	      "the rest");
	n = output(big, buf, sizeof(buf));
	check(n == sizeof(out) && !wrong(buf, sizeof(out), 7), "%d bytes of output", n);
	check(read(gone_slave, buf, 10) == 0 && write(gone_slave, "x", 1) < 0 && errno == EIO,
	      "the slave without a master still works");
	check(read(readonly_slave, buf, 10) == 2 && write(readonly_slave, "x", 1) < 0 && errno == EBADF, "read-only");
	check(fcntl(readonly_slave, F_GETFL) & O_NONBLOCK, "flags");
	check(!ioctl(fast, GET_SPEED, &speed) && speed.out == 123456 && speed.in == 123456, "speed %u", speed.out);
	join_task(pid);
	check(own_slave >= 0 && output(own, buf, 3) == 3 && !memcmp(buf, "own", 3), "output of the session");
	test_done();
}
