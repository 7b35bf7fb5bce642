// SPDX-License-Identifier: GPL-2.0-only
/*
 * Terminals in packet mode with a pending status, stopped output, more input than the line buffer holds, a controlling
 * terminal that all have closed.
 * test: breaks=3 decode=yes user-root=host
 */
#include "checkpoint.h"
#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>

#define MUCH 10000

static char name[64];

static int open_pair(int *master, bool packet, bool raw)
{
	int number, lock = 0, on = packet, slave;
	struct termios t;

	*master = open("/dev/ptmx", O_RDWR | O_NOCTTY);
	need(*master >= 0 && !ioctl(*master, TIOCSPTLCK, &lock) && !ioctl(*master, TIOCGPTN, &number), "ptmx");
	snprintf(name, sizeof(name), "/dev/pts/%d", number);
	slave = open(name, O_RDWR | O_NOCTTY);
	need(slave >= 0 && !tcgetattr(slave, &t), "slave");
	t.c_lflag &= ~(tcflag_t)ECHO;
	if (raw)
		cfmakeraw(&t);
	need(!tcsetattr(slave, TCSANOW, &t) && !ioctl(*master, TIOCPKT, &on), "settings");
	return slave;
}

static bool is_stopped(int slave)
{
	struct pollfd p = { .fd = slave, .events = POLLOUT };

	return poll(&p, 1, 0) == 0;
}

static bool has_status(int master)
{
	struct pollfd p = { .fd = master, .events = POLLPRI };

	return poll(&p, 1, 0) == 1;
}

/* The pending status byte, if there is nothing else. */
static int status_of(int master)
{
	unsigned char buf[64];

	return has_status(master) && read(master, buf, sizeof(buf)) == 1 ? buf[0] : -1;
}

static bool reads(int fd, const char *text, size_t size)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char buf[64];

	return poll(&p, 1, 10000) == 1 && read(fd, buf, sizeof(buf)) == (ssize_t)size && !memcmp(buf, text, size);
}

static bool await_stop(bool (*what)(int), int fd, bool yes)
{
	for (int i = 0; i < 10000; i++) {
		if (what(fd) == yes)
			return true;
		sleep_ms(1);
	}
	return false;
}

static int leader(void *arg)
{
	int tty;

	setsid();
	tty = open(arg, O_RDWR);
	need(tty >= 0 && !close(tty), "controlling terminal");
	checkpoint_task("leader", 0);
	tty = open("/dev/tty", O_RDWR);
	check(tty >= 0 && tcgetpgrp(tty) == getpid(), "not the controlling terminal any more: %d", tty);
	return 0;
}

int main(int argc, char **argv)
{
	int flushed, flushed_slave, key, key_slave, call, call_slave, flow, flow_slave, quiet, quiet_slave, much,
		much_slave, on, got = 0, brk;
	static char typed[MUCH], buf[MUCH];
	struct termios t;
	pid_t pid;

	test_init(argc, argv);
	close(open_pair(&on, false, false));
	pid = fork_task(leader, name);
	await_task("leader");
	flushed_slave = open_pair(&flushed, true, false);
	key_slave = open_pair(&key, true, false);
	call_slave = open_pair(&call, false, false);
	flow_slave = open_pair(&flow, true, false);
	quiet_slave = open_pair(&quiet, true, false);
	much_slave = open_pair(&much, false, true);

	need(!tcflush(flushed_slave, TCIOFLUSH), "flush");
	need(write(flushed, "typed\n", 6) == 6 && write(flushed_slave, "shown", 5) == 5, "write");
	need(write(key_slave, "before", 6) == 6 && write(key, "\023", 1) == 1, "write");
	need(await_stop(is_stopped, key_slave, true), "stop by key");
	need(write(call_slave, "before", 6) == 6 && !tcflow(call_slave, TCOOFF) && is_stopped(call_slave), "stop");
	need(!tcgetattr(flow_slave, &t), "settings");
	t.c_iflag &= ~(tcflag_t)IXON;
	need(!tcsetattr(flow_slave, TCSANOW, &t) && write(flow, "to the slave\n", 13) == 13, "settings");
	need(write(quiet, "line\npart", 9) == 9 && write(quiet_slave, "up", 2) == 2, "write");
	fill(typed, MUCH, 3);
	need(write(much, typed, MUCH) == MUCH, "type much");
	sleep_ms(20);

	brk = checkpoint_here();
	if (brk == 1)
		tcflow(call_slave, TCOON);
	if (brk == 2)
		need(status_of(flow) >= 0, "break");
	if (brk == 3)
		need(read(much_slave, buf, 1) == 1, "break");

	join_task(pid);
	on = status_of(flushed);
	check(on == (TIOCPKT_FLUSHREAD | TIOCPKT_FLUSHWRITE), "flushed: %#x", on);
	check(reads(flushed, "\0shown", 6) && reads(flushed_slave, "typed\n", 6), "data after the flush");
	check(is_stopped(key_slave), "output stopped by a key was resumed");
	on = status_of(key);
	check(on == TIOCPKT_STOP, "stopped: %#x", on);
	check(reads(key, "\0before", 7), "output before the stop");
	check(write(key, "\021", 1) == 1 && await_stop(is_stopped, key_slave, false), "the other key");
	on = status_of(key);
	check(on == TIOCPKT_START, "started: %#x", on);
	check(is_stopped(call_slave) && reads(call, "before", 6), "stopped output was resumed");
	check(write(call, "\021x\n", 3) == 3 && reads(call_slave, "x\n", 2) && is_stopped(call_slave),
	      "resumed by a key");
	check(!tcflow(call_slave, TCOON) && !is_stopped(call_slave), "tcflow");
	on = status_of(flow);
	check(on == TIOCPKT_NOSTOP, "flow control: %#x", on);
	check(reads(flow_slave, "to the slave\n", 13), "input");
	on = status_of(quiet);
	check(on == -1, "pending status: %#x", on);
	check(reads(quiet, "\0up", 3) && reads(quiet_slave, "line\n", 5), "data of the quiet one");
	check(write(quiet, "ial\n", 4) == 4 && reads(quiet_slave, "partial\n", 8), "the rest of the line");
	for (ssize_t n; got < MUCH; got += (int)n) {
		struct pollfd p = { .fd = much_slave, .events = POLLIN };

		n = poll(&p, 1, 10000) == 1 ? read(much_slave, buf + got, (size_t)(MUCH - got)) : 0;
		if (n <= 0)
			break;
	}
	check(got == MUCH && !wrong(buf, MUCH, 3), "%d bytes typed", got);
	test_done();
}
