// SPDX-License-Identifier: GPL-2.0-only
/*
 * Bytes that wait to be read in a terminal. The kernel has no way to look at them without taking them. So a process of
 * its own takes them and puts them back at once with TIOCSTI, which works on both ends: nobody sees it while the tree is
 * frozen, and it goes on when the dumper is killed (only a kill of that process itself, within some 100 us, loses them).
 *
 * A slave in line mode gives whole lines only, and its settings decide what a byte that comes in does (echo, signals,
 * line ends). So: read the lines, with those ended by an end-of-file character marked; leave line mode and read what
 * has been typed of the next one; put everything back with settings under which a byte is a byte; and the old settings.
 */
#include <asm/termbits.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "kinds/fd/tty/internal.h"
#include "util/fds.h"
#include "util/log.h"

#define TTY_LINE_BUFFER 4095 /* what n_tty holds; the rest waits before it */

static bool tty_is_readable(int fd)
{
	struct pollfd look = { .fd = fd, .events = POLLIN };

	/* For the kernel this is also the moment to move what came in to where it can be read. */
	return poll(&look, 1, 0) == 1 && (look.revents & POLLIN);
}

/* Sysctl dev.tty.legacy_tiocsti and CAP_SYS_ADMIN decide: tried on a terminal of our own. */
static bool tty_may_inject(void)
{
	int fd = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
	bool may = fd >= 0 && ioctl(fd, TIOCSTI, "x") == 0;

	if (fd >= 0)
		close(fd);
	return may;
}

static int tty_inject(int fd, const uint8_t *data, uint32_t len)
{
	for (uint32_t i = 0; i < len; i++)
		if (ioctl(fd, TIOCSTI, &data[i]) < 0)
			return -errno;
	return 0;
}

/* ---- settings under which bytes go in as they are */

static uint8_t tty_unused_byte(const struct tty_bytes *bytes, const struct tty_termios *t)
{
	bool used[256] = { [0] = true, ['\n'] = true };

	used[t->cc[VEOL]] = used[t->cc[VEOL2]] = true;
	for (uint32_t i = 0; i < bytes->len; i++)
		used[bytes->data[i]] = true;
	for (int c = 1; c < 256; c++)
		if (!used[c])
			return (uint8_t)c;
	return t->cc[VEOF]; /* all 255 of them occur: that one is the least wrong */
}

static struct tty_termios tty_verbatim(const struct tty_termios *t, uint8_t eof)
{
	struct tty_termios v = *t;

	v.iflag = 0;
	v.oflag = 0;
	v.lflag &= ICANON | IEXTEN;
	memset(v.cc, 0, sizeof(v.cc));
	v.cc[VEOL] = t->cc[VEOL];
	v.cc[VEOL2] = t->cc[VEOL2];
	v.cc[VEOF] = eof;
	return v;
}

/* Bytes from @from on, with the end-of-file characters between them, given to @put. */
static int tty_feed(int fd, const struct tty_bytes *bytes, uint8_t eof, int (*put)(int, const uint8_t *, uint32_t))
{
	uint32_t from = 0;
	int err;

	for (uint32_t i = 0; i < bytes->nr_eof; i++) {
		err = put(fd, bytes->data + from, bytes->eof_at[i] - from);
		if (!err)
			err = put(fd, &eof, 1);
		if (err)
			return err;
		from = bytes->eof_at[i];
	}
	return put(fd, bytes->data + from, bytes->len - from);
}

/* ---- taking out */

static void tty_take_lines(int fd, const struct tty_termios *t, struct tty_bytes *to)
{
	/* In line mode one read gives one line at the most. */
	while (to->len + TTY_LINE_BUFFER + 1 < TTY_BYTES_MAX && tty_is_readable(fd)) {
		ssize_t n = read(fd, to->data + to->len, TTY_LINE_BUFFER + 1);

		if (n < 0)
			return;
		uint8_t last = n ? to->data[to->len + n - 1] : 0;
		bool ended = n && (last == '\n' || (last && (last == t->cc[VEOL] || last == t->cc[VEOL2])));

		to->len += n;
		if (!ended) {
			if (to->nr_eof == TTY_EOFS_MAX)
				return;
			to->eof_at[to->nr_eof++] = to->len;
		}
	}
}

/* Without lines: as much as there is, never more, so that read(2) does not wait for VMIN. */
static void tty_take_raw(int fd, struct tty_bytes *to)
{
	for (;;) {
		int n = 0;

		tty_is_readable(fd);
		if (ioctl(fd, FIONREAD, &n) < 0 || n <= 0 || to->len + (uint32_t)n > TTY_BYTES_MAX)
			return;
		ssize_t got = read(fd, to->data + to->len, n);
		if (got <= 0)
			return;
		to->len += got;
	}
}

/* Takes the slave's input and puts it back. */
static int tty_turn_over_slave(int fd, struct tty_bytes *bytes)
{
	struct tty_termios was, raw, verbatim;
	uint8_t eof;
	int err = tty_get_termios(fd, &was), back;

	if (err)
		return err;
	if (was.lflag & ICANON)
		tty_take_lines(fd, &was, bytes);
	raw = was;
	raw.lflag &= ~(ICANON | ECHO);
	err = tty_set_termios(fd, &raw);
	if (!err)
		tty_take_raw(fd, bytes);
	eof = tty_unused_byte(bytes, &was);
	verbatim = tty_verbatim(&was, eof);
	if (!err)
		err = tty_set_termios(fd, &verbatim);
	back = tty_feed(fd, bytes, eof, tty_inject);
	if (!err)
		err = back;
	back = tty_set_termios(fd, &was);
	return err ? err : back;
}

/* What the master has not read. In packet mode every read starts with a byte that says what follows. */
static void tty_take_output(int fd, struct tty_bytes *to)
{
	int packet = 0;

	ioctl(fd, TIOCGPKT, &packet);
	while (to->len + TTY_LINE_BUFFER + 1 < TTY_BYTES_MAX && tty_is_readable(fd)) {
		uint8_t *at = to->data + to->len, first = *at;
		ssize_t n = read(fd, at, TTY_LINE_BUFFER + 1);

		if (n <= 0)
			return;
		if (!packet) {
			to->len += n;
		} else if (*at == TIOCPKT_DATA) {
			memmove(at, at + 1, n - 1);
			to->len += n - 1;
		} else {
			*at = first;
		}
	}
}

/* Writes to the slave what the line buffer of the master does not hold: as the program's output, but unprocessed. */
static int tty_write_output(int master, int slave, const uint8_t *data, uint32_t len)
{
	_cleanup_close_ int own = -1;
	struct tty_termios was, plain;
	struct pollfd room = { .events = POLLOUT };
	int err = tty_get_termios(master, &was), back, flags;

	if (err || !len)
		return err;
	if (slave < 0)
		slave = own = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (slave < 0)
		return -errno;
	plain = was;
	plain.oflag &= ~OPOST;
	err = tty_set_termios(slave, &plain);
	flags = fcntl(slave, F_GETFL);
	if (!err && fcntl(slave, F_SETFL, flags | O_NONBLOCK) < 0)
		err = -errno;
	room.fd = slave;
	while (!err && len) {
		ssize_t n = write(slave, data, len);

		if (n > 0) {
			data += n;
			len -= n;
		} else if (n < 0 && errno != EAGAIN) {
			err = -errno;
		} else if (poll(&room, 1, 200) != 1) {
			err = -ENOBUFS;
		}
	}
	fcntl(slave, F_SETFL, flags);
	back = tty_set_termios(slave, &was);
	return err ? err : back;
}

static int tty_put_output(int master, int slave, const struct tty_bytes *bytes, bool inject)
{
	uint32_t first = !inject ? 0 : bytes->len < TTY_LINE_BUFFER ? bytes->len : TTY_LINE_BUFFER;
	int err = tty_inject(master, bytes->data, first);

	return err ? err : tty_write_output(master, slave, bytes->data + first, bytes->len - first);
}

static int tty_turn_over_master(int fd, struct tty_bytes *bytes)
{
	tty_take_output(fd, bytes);
	return tty_put_output(fd, -1, bytes, true);
}

int tty_copy_input(int fd, bool master, struct tty_bytes **ret_bytes)
{
	struct tty_bytes *bytes;
	sigset_t all, was;
	int err = 0;
	pid_t pid;

	*ret_bytes = NULL;
	if (master && !tty_is_readable(fd))
		return 0;
	if (!tty_may_inject())
		return -EPERM;
	bytes = mmap(NULL, sizeof(*bytes), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (bytes == MAP_FAILED)
		return -errno;
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &was);
	pid = (pid_t)syscall(SYS_clone, 0, NULL, NULL, NULL, NULL);
	if (pid == 0) {
		bytes->err = master ? tty_turn_over_master(fd, bytes) : tty_turn_over_slave(fd, bytes);
		syscall(SYS_exit_group, 0);
	}
	if (pid < 0)
		err = -errno;
	while (pid > 0 && waitpid(pid, NULL, __WALL) < 0 && errno == EINTR)
		;
	sigprocmask(SIG_SETMASK, &was, NULL);
	if (!err)
		err = bytes->err;
	if (err || (!bytes->len && !bytes->nr_eof))
		tty_bytes_free(bytes);
	else
		*ret_bytes = bytes;
	return err;
}

void tty_bytes_free(struct tty_bytes *bytes)
{
	if (bytes)
		munmap(bytes, sizeof(*bytes));
}

/* ---- filling a new pair */

static int tty_put_written(int fd, const uint8_t *data, uint32_t len)
{
	return len ? write_full(fd, data, len) : 0;
}

int tty_fill_slave(int master, int slave, const struct tty_bytes *bytes, const struct tty_termios *termios)
{
	uint8_t eof = tty_unused_byte(bytes, termios);
	struct tty_termios verbatim = tty_verbatim(termios, eof);
	bool inject = slave >= 0 && bytes->len + bytes->nr_eof <= TTY_LINE_BUFFER && tty_may_inject();
	int err = tty_set_termios(master, &verbatim);

	if (!err && inject)
		err = tty_feed(slave, bytes, eof, tty_inject);
	else if (!err)
		err = tty_feed(master, bytes, eof, tty_put_written);
	/* What was written is on its way through a worker of the kernel; these settings have to wait for it. */
	for (int i = 0; !err && !inject && slave >= 0 && i < 100 && !tty_is_readable(slave); i++)
		usleep(100); /* style: see above; poll(2) would not tell a line that ends */
	return err ? err : tty_set_termios(master, termios);
}

int tty_fill_master(int master, int slave, const struct tty_bytes *bytes)
{
	return tty_put_output(master, slave, bytes, tty_may_inject());
}
