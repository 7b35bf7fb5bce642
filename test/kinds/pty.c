// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pseudo-terminals inside the tree: settings, size, unread data in both directions, packet mode, locked ones, a master
 * alone.
 * test: flavours=host,container,user breaks=3 decode=yes user-root=host
 */
#include "checkpoint.h"
#include <sys/ioctl.h>
#include <termios.h>

static int open_pair(int *master)
{
	int number, lock = 0;
	char name[64];

	*master = open("/dev/ptmx", O_RDWR | O_NOCTTY);
	need(*master >= 0 && !ioctl(*master, TIOCSPTLCK, &lock) && !ioctl(*master, TIOCGPTN, &number), "ptmx");
	snprintf(name, sizeof(name), "/dev/pts/%d", number);
	return open(name, O_RDWR | O_NOCTTY);
}

int main(int argc, char **argv)
{
	int master, slave, raw_master, raw_slave, packet, packet_slave, alone, left, left_slave, locked, copy, number,
		on = 1, off, brk, n;
	struct winsize ws = { .ws_row = 33, .ws_col = 101, .ws_xpixel = 7, .ws_ypixel = 8 }, got;
	struct termios want, now;
	char buf[256];

	test_init(argc, argv);
	slave = open_pair(&master);
	raw_slave = open_pair(&raw_master);
	packet_slave = open_pair(&packet);
	left_slave = open_pair(&left);
	need(slave >= 0 && raw_slave >= 0 && packet_slave >= 0 && left_slave >= 0, "slaves");
	alone = open("/dev/ptmx", O_RDWR | O_NOCTTY);
	off = 0;
	ioctl(alone, TIOCSPTLCK, &off);
	locked = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK);
	copy = dup(slave);

	tcgetattr(slave, &want);
	want.c_lflag &= ~(tcflag_t)(ECHO | ISIG);
	want.c_cc[VERASE] = 'Q';
	want.c_cc[VEOF] = 3;
	cfsetispeed(&want, B9600);
	cfsetospeed(&want, B9600);
	need(!tcsetattr(slave, TCSANOW, &want) && !ioctl(master, TIOCSWINSZ, &ws), "settings");
	tcgetattr(slave, &want);
	need(write(master, "a line\npart", 11) == 11 && write(slave, "to master\n", 10) == 10, "write");
	tcgetattr(raw_slave, &now);
	cfmakeraw(&now);
	tcsetattr(raw_slave, TCSANOW, &now);
	need(write(raw_master, "\001\002\003raw", 6) == 6 && write(raw_slave, "\377up", 3) == 3, "write raw");
	need(!ioctl(packet, TIOCPKT, &on) && !ioctl(packet_slave, TIOCEXCL), "packet mode");
	need(write(left_slave, "last", 4) == 4 && !close(left_slave), "close a slave");
	sleep_ms(20);

	brk = checkpoint_here();
	if (brk == 1)
		need(read(master, buf, 1) == 1, "break");
	if (brk == 2)
		ioctl(master, TIOCSWINSZ, &got);
	if (brk == 3)
		tcsetattr(slave, TCSANOW, &now);

	check(!tcgetattr(slave, &now), "tcgetattr");
	check(now.c_iflag == want.c_iflag && now.c_oflag == want.c_oflag && now.c_cflag == want.c_cflag &&
		      now.c_lflag == want.c_lflag,
	      "flags %x %x %x %x", now.c_iflag, now.c_oflag, now.c_cflag, now.c_lflag);
	check(!memcmp(now.c_cc, want.c_cc, NCCS) && now.c_line == want.c_line && cfgetospeed(&now) == B9600,
	      "characters");
	check(!ioctl(copy, TIOCGWINSZ, &got) && !memcmp(&got, &ws, sizeof(ws)), "size %d x %d", got.ws_row, got.ws_col);
	check(read(slave, buf, 256) == 7 && !memcmp(buf, "a line\n", 7), "the line for the slave");
	check(write(master, "ial\n", 4) == 4 && read(slave, buf, 256) == 8 && !memcmp(buf, "partial\n", 8),
	      "the unfinished line");
	n = (int)read(master, buf, 256);
	check(n == 11 && !memcmp(buf, "to master\r\n", 11), "the master reads %d %.11s", n, buf);
	check(read(raw_slave, buf, 256) == 6 && !memcmp(buf, "\001\002\003raw", 6), "raw to the slave");
	check(read(raw_master, buf, 256) == 3 && !memcmp(buf, "\377up", 3), "raw to the master");
	on = 0;
	check(!ioctl(packet, TIOCGPKT, &on) && on == 1, "packet mode is %d", on);
	check(write(packet_slave, "p", 1) == 1 && read(packet, buf, 256) == 2 && buf[0] == 0 && buf[1] == 'p',
	      "a packet");
	on = 0;
	check(!ioctl(packet_slave, TIOCGEXCL, &on) && on == 1, "exclusive is %d", on);
	n = (int)read(left, buf, 256);
	check(n == 4 && !memcmp(buf, "last", 4) && read(left, buf, 256) < 0 && errno == EIO,
	      "a master whose slave is closed");
	check(!ioctl(alone, TIOCGPTLCK, &on) && on == 0, "lock of the single master");
	check(!ioctl(locked, TIOCGPTLCK, &on) && on == 1 && fcntl(locked, F_GETFL) & O_NONBLOCK,
	      "lock of the locked one");
	check(!ioctl(locked, TIOCGPTN, &number) && number == 5, "number %d", number);
	test_done();
}
