// SPDX-License-Identifier: GPL-2.0-only
/*
 * Bytes that wait to be read in a terminal. The kernel has no way to look at them without taking them. So a process of
 * its own takes them and puts them back at once with TIOCSTI, which works on both ends: nobody sees it while the tree is
 * frozen. When the dumper is killed it goes on, and the tree only afterwards (run/guard.h); only a kill of that process
 * itself, within some 100 us, loses them.
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
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "kinds/fd/tty/internal.h"
#include "run/guard.h"
#include "run/helper_process.h"
#include "run/path.h"
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
	int fd = path_open(&PATH_OWN, PATH_ROOT_MOUNT, TTY_PATH_PTMX, O_RDWR | O_NOCTTY);
	bool may = fd >= 0 && ioctl(fd, TIOCSTI, "x") == 0;

	if (fd >= 0)
		close(fd);
	return may;
}

/* What has been taken out is nowhere else: one byte that does not go in at once must not cost those behind it. */
static int tty_inject(int fd, const uint8_t *data, uint32_t len)
{
	int err = 0;

	for (uint32_t i = 0; i < len; i++) {
		bool in = !ioctl(fd, TIOCSTI, &data[i]) || !ioctl(fd, TIOCSTI, &data[i]);

		if (!in && !err)
			err = -errno;
	}
	return err;
}

/* ---- settings under which bytes go in as they are */

/* A program must not be left with settings of ours: once more, should it fail. */
static int tty_put_back(int fd, const struct tty_termios *t)
{
	return tty_set_termios(fd, t) ? tty_set_termios(fd, t) : 0;
}

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

static struct tty_termios tty_verbatim(const struct tty_termios *t, uint8_t eof, bool keep_flow)
{
	struct tty_termios v = *t;

	/* In packet mode the master is told of changes of flow control. */
	v.iflag &= keep_flow ? IXON : 0;
	v.oflag = 0;
	v.lflag &= ICANON | IEXTEN;
	memset(v.cc, 0, sizeof(v.cc));
	if (keep_flow) {
		v.cc[VSTART] = t->cc[VSTART];
		v.cc[VSTOP] = t->cc[VSTOP];
	}
	v.cc[VEOL] = t->cc[VEOL];
	v.cc[VEOL2] = t->cc[VEOL2];
	v.cc[VEOF] = eof;
	return v;
}

/* The bytes with the end-of-file characters between them; free(3). NULL without memory. */
static uint8_t *tty_flatten(const struct tty_bytes *bytes, uint8_t eof, uint32_t *ret_len)
{
	uint8_t *flat = malloc((size_t)bytes->len + bytes->nr_eof + 1), *to = flat;
	uint32_t from = 0;

	for (uint32_t i = 0; flat && i < bytes->nr_eof; i++) {
		to = mempcpy(to, bytes->data + from, bytes->eof_at[i] - from);
		*to++ = eof;
		from = bytes->eof_at[i];
	}
	if (flat)
		to = mempcpy(to, bytes->data + from, bytes->len - from);
	*ret_len = (uint32_t)(to - flat);
	return flat;
}

/* Without waiting for ever: there was room for it. The kernel moves what is written by a worker of its own. */
static int tty_write_bounded(int fd, const uint8_t *data, uint32_t len)
{
	struct pollfd room = { .fd = fd, .events = POLLOUT };
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
		} else if (poll(&room, 1, 2) == 1) {
			usleep(100); /* style: there is room, but too little of it yet */
		}
	}
	fcntl(fd, F_SETFL, flags);
	return err;
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
static int tty_take_raw(int fd, struct tty_bytes *to)
{
	for (;;) {
		int n = 0;

		tty_is_readable(fd);
		if (ioctl(fd, FIONREAD, &n) < 0)
			return -errno;
		if (n <= 0 || to->len + (uint32_t)n > TTY_BYTES_MAX)
			return 0;
		ssize_t got = read(fd, to->data + to->len, n);
		if (got <= 0)
			return got ? -errno : 0;
		to->len += got;
	}
}

static int tty_take_input(int slave, const struct tty_termios *was, struct tty_bytes *to)
{
	struct tty_termios raw = *was;
	int err, back;

	if (was->lflag & ICANON)
		tty_take_lines(slave, was, to);
	raw.lflag &= ~(ICANON | ECHO);
	err = tty_set_termios(slave, &raw);
	if (!err)
		err = tty_take_raw(slave, to);
	back = tty_put_back(slave, was);
	return err ? err : back;
}

/* What the master has not read; not in packet mode. */
static void tty_take_output(int fd, struct tty_bytes *to)
{
	while (to->len + TTY_LINE_BUFFER + 1 < TTY_BYTES_MAX && tty_is_readable(fd)) {
		ssize_t n = read(fd, to->data + to->len, TTY_LINE_BUFFER + 1);

		if (n <= 0)
			return;
		to->len += n;
	}
}

/* Writes to the slave what the line buffer of the master does not hold: as the program's output, but unprocessed. */
static int tty_write_output(int master, int slave, const uint8_t *data, uint32_t len)
{
	_cleanup_close_ int own = -1;
	struct tty_termios was, plain;
	int err = tty_get_termios(master, &was), back;

	if (err || !len)
		return err;
	if (slave < 0)
		slave = own = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (slave < 0)
		return -errno;
	plain = was;
	plain.oflag &= ~OPOST;
	err = tty_set_termios(slave, &plain);
	if (!err)
		err = tty_write_bounded(slave, data, len);
	back = tty_put_back(slave, &was);
	return err ? err : back;
}

static int tty_put_output(int master, int slave, const struct tty_bytes *bytes, bool inject)
{
	uint32_t first = !inject ? 0 : bytes->len < TTY_LINE_BUFFER ? bytes->len : TTY_LINE_BUFFER;
	int err = tty_inject(master, bytes->data, first);
	int rest = tty_write_output(master, slave, bytes->data + first, bytes->len - first);

	return err ? err : rest;
}

/* ---- packet mode, and output that is held */

/* The status that waits for the master is gone by that. */
static void tty_leave_packet_mode(int master, struct tty_content *content)
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

/* With the words of @status that empty buffers: nothing may be in them yet. */
static int tty_enter_packet_mode(int master, int slave, uint8_t status)
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

/* With all output taken, a terminal that takes no more has been stopped. By tcflow(3), or by a key? */
static bool tty_takes_output(int slave)
{
	struct pollfd room = { .fd = slave, .events = POLLOUT };

	return poll(&room, 1, 0) == 1;
}

static bool tty_has_flow_keys(const struct tty_termios *t)
{
	return (t->iflag & IXON) && !(t->lflag & EXTPROC) && t->cc[VSTOP] && t->cc[VSTART] &&
	       t->cc[VSTOP] != t->cc[VSTART];
}

/* Lets output go on, so that it can be written; tells what had stopped it. */
static enum tty_stopped tty_let_go(int slave, const struct tty_termios *was)
{
	if (tty_takes_output(slave))
		return TTY_NOT_STOPPED;
	ioctl(slave, TCXONC, TCOON);
	if (tty_takes_output(slave))
		return TTY_STOPPED_BY_CALL;
	if (!tty_has_flow_keys(was) || ioctl(slave, TIOCSTI, &was->cc[VSTART]) < 0 || !tty_takes_output(slave))
		return TTY_NOT_STOPPED; /* there was too much to take */
	return TTY_STOPPED_BY_KEY;
}

static int tty_stop(int slave, enum tty_stopped how, const struct tty_termios *t)
{
	int err;

	if (slave < 0)
		return 0;
	if (how == TTY_STOPPED_BY_KEY && tty_has_flow_keys(t) && tty_may_inject())
		err = ioctl(slave, TIOCSTI, &t->cc[VSTOP]);
	else
		err = ioctl(slave, TCXONC, TCOOFF);
	return err < 0 ? -errno : 0;
}

static bool tty_tells_flow(const struct tty_termios *t)
{
	return (t->iflag & IXON) && t->cc[VSTOP] == 023 && t->cc[VSTART] == 021;
}

/* The rest of what waited: there and back makes the kernel say it again. That output goes on says little: left out. */
static int tty_raise_settings(int master, uint8_t status, const struct tty_termios *t)
{
	struct tty_termios other = *t;
	int err, back;

	if (!(status & (TIOCPKT_DOSTOP | TIOCPKT_NOSTOP | TIOCPKT_IOCTL)))
		return 0;
	if ((status & (TIOCPKT_DOSTOP | TIOCPKT_NOSTOP)) && tty_tells_flow(t)) {
		other.cc[VSTOP] = 1; /* not IXON: output that is stopped would go on */
	} else if (status & (TIOCPKT_DOSTOP | TIOCPKT_NOSTOP)) {
		other.iflag |= IXON;
		other.cc[VSTOP] = 023;
		other.cc[VSTART] = 021;
	}
	if (status & TIOCPKT_IOCTL)
		other.lflag ^= EXTPROC;
	err = tty_set_termios(master, &other);
	back = tty_put_back(master, t);
	return err ? err : back;
}

static bool tty_has_bytes(const struct tty_bytes *bytes)
{
	return bytes->len || bytes->nr_eof;
}

/* ---- filling a pair */

/* What the slave's reader finds. What its line buffer does not hold comes from the master, as it did. */
static int tty_fill_slave(int master, int slave, const struct tty_bytes *bytes, const struct tty_termios *termios,
			  bool keep_flow)
{
	uint8_t eof = tty_unused_byte(bytes, termios);
	struct tty_termios verbatim = tty_verbatim(termios, eof, keep_flow);
	uint32_t len, first;
	_cleanup_free_ uint8_t *flat = tty_flatten(bytes, eof, &len);
	int err = flat ? tty_set_termios(master, &verbatim) : -ENOMEM, back;

	first = slave < 0 || !tty_may_inject() ? 0 : len < TTY_LINE_BUFFER ? len : TTY_LINE_BUFFER;
	if (!err)
		err = tty_inject(slave, flat, first);
	if (flat && first < len) {
		back = tty_write_bounded(master, flat + first, len - first);
		err = err ? err : back;
	}
	/* What was written is on its way through a worker of the kernel; these settings have to wait for it. */
	for (int i = 0; !err && !first && slave >= 0 && i < 100 && !tty_is_readable(slave); i++)
		usleep(100); /* style: see above; poll(2) would not tell a line that ends */
	back = tty_put_back(master, termios);
	return err ? err : back;
}

int tty_fill_pair(int master, int slave, const struct tty_content *content, const struct tty_termios *termios)
{
	uint8_t status = content->packet ? content->packet_status : 0;
	bool flushed = status & (TIOCPKT_FLUSHREAD | TIOCPKT_FLUSHWRITE);
	bool stop_late = flushed || (status & TIOCPKT_STOP);
	int err = 0, back;

	if (flushed)
		err = tty_enter_packet_mode(master, slave, status);
	if (tty_has_bytes(&content->typed)) {
		back = tty_fill_slave(master, slave, &content->typed, termios, flushed);
		err = err ? err : back;
	}
	if (tty_has_bytes(&content->shown)) {
		back = tty_put_output(master, slave, &content->shown, tty_may_inject());
		err = err ? err : back;
	}
	if (!err && content->stopped && !stop_late)
		err = tty_stop(slave, content->stopped, termios);
	if (!err && content->packet && !flushed)
		err = tty_enter_packet_mode(master, slave, status);
	if (!err && content->stopped && stop_late)
		err = tty_stop(slave, content->stopped, termios);
	if (!err && status)
		err = tty_raise_settings(master, status, termios);
	return err;
}

/* ---- copying a pair */

/* What fails on the way does not keep us from putting back what has been taken. */
static int tty_turn_over(int master, int slave, struct tty_content *content)
{
	struct tty_termios was;
	int err = tty_get_termios(master, &was), back;

	if (err)
		return err;
	tty_leave_packet_mode(master, content);
	tty_take_output(master, &content->shown);
	if (slave >= 0) {
		content->stopped = tty_let_go(slave, &was);
		err = tty_take_input(slave, &was, &content->typed);
	}
	back = tty_fill_pair(master, slave, content, &was);
	return err ? err : back;
}

struct tty_copy {
	int master, slave;
	struct guard *guard;
	struct tty_content *content;
};

/* Runs beside the dumper, out of reach of what ends its process group. */
static int tty_copier(void *arg)
{
	const struct tty_copy *copy = arg;

	copy->content->err = -ECANCELED;
	if (guard_enter(copy->guard)) {
		copy->content->err = tty_turn_over(copy->master, copy->slave, copy->content);
		guard_leave(copy->guard);
	}
	return 0;
}

static int tty_run_copier(struct tty_copy *copy)
{
	const struct helper_job job = { .run = tty_copier, .arg = copy };
	struct helper_process helper = HELPER_NONE;
	int err = helper_start(&helper, &job);

	if (err)
		return err;
	if (!WIFSIGNALED(helper_wait(&helper)))
		return copy->content->err;
	guard_leave(copy->guard);
	return fail(-EPIPE, "the process that looks at a terminal was killed: what waited there may be lost");
}

int tty_copy_content(int master, int slave, struct guard *guard, struct tty_content **ret_content)
{
	struct tty_content *content;
	struct tty_copy copy = { master, slave, guard, NULL };
	int err;

	*ret_content = NULL;
	if (slave < 0 && !tty_is_readable(master))
		return 0;
	if (!tty_may_inject())
		return -EPERM;
	content = mmap(NULL, sizeof(*content), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (content == MAP_FAILED)
		return -errno;
	copy.content = content;
	err = tty_run_copier(&copy);
	if (err)
		tty_content_free(content);
	else
		*ret_content = content;
	return err;
}

void tty_content_free(struct tty_content *content)
{
	if (content)
		munmap(content, sizeof(*content));
}
