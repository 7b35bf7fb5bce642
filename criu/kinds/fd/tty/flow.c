// SPDX-License-Identifier: GPL-2.0-only
/*
 * Packet mode and stopped output of terminals: read and left, so that their unread data can be read (data.c), and entered again.
 * Keys and settings for that.
 */
#include <asm/termbits.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "kinds/fd/tty/internal.h"
#include "run/path.h"
#include "util/fds.h"

/* Of 100 us each, and more on a busy machine. */
#define KEY_TRIES 20000

/* Tries it on a terminal of our own. */
bool tty_may_inject(void)
{
	int fd = path_open(&PATH_OWN, PATH_ROOT_MOUNT, TTY_PATH_PTMX, O_RDWR | O_NOCTTY);
	bool may = fd >= 0 && ioctl(fd, TIOCSTI, "x") == 0;

	if (fd >= 0)
		close(fd);
	return may;
}

int tty_reset_settings(int fd, const struct tty_termios *t)
{
	return tty_set_termios(fd, t) ? tty_set_termios(fd, t) : 0;
}

int tty_write_bounded(int fd, const uint8_t *data, uint32_t len)
{
	struct pollfd space = { .fd = fd, .events = POLLOUT };
	int flags = fcntl(fd, F_GETFL), err = 0, patience = 1000;

	if (fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return -errno;
	while (!err && len) {
		ssize_t n = write(fd, data, len);

		if (n > 0) {
			data += n;
			len -= n;
		} else if (n < 0 && errno != EAGAIN) {
			err = -errno;
		} else if (!patience--) {
			err = -ENOBUFS;
		} else if (poll(&space, 1, 2) == 1) {
			usleep(100); /* style: there is space, but not enough yet */
		}
	}
	fcntl(fd, F_SETFL, flags);
	return err;
}

void tty_leave_packet_mode(int master, struct tty_content *content)
{
	struct pollfd look = { .fd = master, .events = POLLPRI };
	int on = 0, off = 0;

	if (ioctl(master, TIOCGPKT, &on) < 0 || !on)
		return;
	content->packet = true;
	if (poll(&look, 1, 0) == 1 && (look.revents & POLLPRI) && read(master, &content->packet_status, 1) != 1)
		content->packet_status = 0;
	ioctl(master, TIOCPKT, &off);
}

int tty_enter_packet_mode(int master, int slave, uint8_t status)
{
	_cleanup_close_ int own = -1;
	int on = 1;

	if (ioctl(master, TIOCPKT, &on) < 0)
		return -errno;
	if (slave < 0 && (status & (TIOCPKT_FLUSHREAD | TIOCPKT_FLUSHWRITE)))
		slave = own = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if ((status & TIOCPKT_FLUSHREAD) && ioctl(slave, TCFLSH, TCIFLUSH) < 0)
		return -errno;
	if ((status & TIOCPKT_FLUSHWRITE) && ioctl(slave, TCFLSH, TCOFLUSH) < 0)
		return -errno;
	return 0;
}

bool tty_accepts_output(int slave)
{
	struct pollfd space = { .fd = slave, .events = POLLOUT };

	return poll(&space, 1, 0) == 1;
}

static bool tty_has_flow_keys(const struct tty_termios *t)
{
	return (t->iflag & IXON) && !(t->lflag & EXTPROC) && t->cc[VSTOP] && t->cc[VSTART] &&
	       t->cc[VSTOP] != t->cc[VSTART];
}

/* While keys have no meaning, none can have stopped it. */
static int tty_start_without_key(int slave, const struct tty_termios *was)
{
	struct tty_termios without = *was;
	int err, back;

	without.iflag &= ~IXON;
	err = tty_set_termios(slave, &without);
	back = tty_reset_settings(slave, was);
	return err ? err : back;
}

int tty_type_flow_key(int master, int slave, uint8_t key, bool stops)
{
	int err = tty_write_bounded(master, &key, 1);

	/* A worker of the kernel moves what was written. */
	for (int i = 0; !err && tty_accepts_output(slave) == stops; i++)
		if (i == KEY_TRIES)
			err = -ENOBUFS;
		else
			usleep(100); /* style: see above; poll(2) would not report that it is stopped */
	return err;
}

enum tty_stopped tty_resume_output(int slave, const struct tty_termios *was)
{
	if (tty_accepts_output(slave))
		return TTY_NOT_STOPPED;
	ioctl(slave, TCXONC, TCOON);
	if (tty_accepts_output(slave))
		return TTY_STOPPED_BY_CALL;
	if (!tty_has_flow_keys(was) || tty_start_without_key(slave, was) || !tty_accepts_output(slave))
		return TTY_NOT_STOPPED; /* there was too much to read */
	return TTY_STOPPED_BY_KEY;
}

int tty_stop_output(int master, int slave, enum tty_stopped how, const struct tty_termios *t)
{
	if (slave < 0)
		return 0;
	if (how != TTY_STOPPED_BY_KEY || !tty_has_flow_keys(t))
		return ioctl(slave, TCXONC, TCOOFF) < 0 ? -errno : 0;
	if (tty_may_inject())
		return ioctl(slave, TIOCSTI, &t->cc[VSTOP]) < 0 ? -errno : 0;
	return tty_type_flow_key(master, slave, t->cc[VSTOP], true);
}

static bool tty_reports_flow(const struct tty_termios *t)
{
	return (t->iflag & IXON) && t->cc[VSTOP] == 023 && t->cc[VSTART] == 021;
}

int tty_raise_status(int master, uint8_t status, const struct tty_termios *t)
{
	struct tty_termios other = *t;
	int err, back;

	if (!(status & (TIOCPKT_DOSTOP | TIOCPKT_NOSTOP | TIOCPKT_IOCTL)))
		return 0;
	if ((status & (TIOCPKT_DOSTOP | TIOCPKT_NOSTOP)) && tty_reports_flow(t)) {
		other.cc[VSTOP] = 1; /* not IXON: stopped output would be resumed */
	} else if (status & (TIOCPKT_DOSTOP | TIOCPKT_NOSTOP)) {
		other.iflag |= IXON;
		other.cc[VSTOP] = 023;
		other.cc[VSTART] = 021;
	}
	if (status & TIOCPKT_IOCTL)
		other.lflag ^= EXTPROC;
	err = tty_set_termios(master, &other);
	back = tty_reset_settings(master, t);
	return err ? err : back;
}
