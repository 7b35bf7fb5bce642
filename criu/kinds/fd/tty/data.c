// SPDX-License-Identifier: GPL-2.0-only
/*
 * Unread data of terminals. The kernel has no way to peek at it. So a helper process reads it and puts it back at once
 * with TIOCSTI, which works on both ends; while the tree is frozen, no process notices. If the dumper is killed, the
 * helper continues, and the tree is released only afterwards (run/guard.h); the data is only lost if the helper itself
 * is killed, within some 100 us. In canonical mode a slave returns complete lines only, and its settings decide what an
 * incoming byte does (echo, signals, line ends). So: read the lines, recording which of them were ended by an
 * end-of-file character; leave canonical mode and read the incomplete line; put everything back with settings under
 * which bytes have no special meaning; restore the settings.
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

#define TTY_LINE_BUFFER 4095 /* the size of n_tty's buffer; further data waits in front of it */

static bool tty_is_readable(int fd)
{
	struct pollfd look = { .fd = fd, .events = POLLIN };

	/* poll(2) also makes the kernel move received data to where it can be read. */
	return poll(&look, 1, 0) == 1 && (look.revents & POLLIN);
}

/* Depends on sysctl dev.tty.legacy_tiocsti and CAP_SYS_ADMIN: try it on a terminal of our own. */
static bool tty_may_inject(void)
{
	int fd = path_open(&PATH_OWN, PATH_ROOT_MOUNT, TTY_PATH_PTMX, O_RDWR | O_NOCTTY);
	bool may = fd >= 0 && ioctl(fd, TIOCSTI, "x") == 0;

	if (fd >= 0)
		close(fd);
	return may;
}

/* The data is nowhere else: if one byte fails, still inject those after it. */
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

/* ---- settings under which bytes have no special meaning */

/* The program must not be left with our settings: try a second time if it fails. */
static int tty_reset_settings(int fd, const struct tty_termios *t)
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
	return t->cc[VEOF]; /* all 255 values occur: this one is the least wrong */
}

static struct tty_termios tty_verbatim(const struct tty_termios *t, uint8_t eof, bool keep_flow)
{
	struct tty_termios v = *t;

	/* In packet mode changes of flow control are reported to the master. */
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

/* The data with the end-of-file characters inserted; free(3) it. NULL: out of memory. */
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

/* Does not wait for ever: there should be enough space. A worker of the kernel moves what is written. */
static int tty_write_bounded(int fd, const uint8_t *data, uint32_t len)
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

/* ---- reading */

static void tty_read_lines(int fd, const struct tty_termios *t, struct tty_bytes *to)
{
	/* In canonical mode one read returns at most one line. */
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

/* In non-canonical mode: exactly as much as there is, so that read(2) does not wait for VMIN. */
static int tty_read_raw(int fd, struct tty_bytes *to)
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

static int tty_read_input(int slave, const struct tty_termios *was, struct tty_bytes *to)
{
	struct tty_termios raw = *was;
	int err, back;

	if (was->lflag & ICANON)
		tty_read_lines(slave, was, to);
	raw.lflag &= ~(ICANON | ECHO);
	err = tty_set_termios(slave, &raw);
	if (!err)
		err = tty_read_raw(slave, to);
	back = tty_reset_settings(slave, was);
	return err ? err : back;
}

/* What the master has not read; not in packet mode. */
static void tty_read_output(int fd, struct tty_bytes *to)
{
	while (to->len + TTY_LINE_BUFFER + 1 < TTY_BYTES_MAX && tty_is_readable(fd)) {
		ssize_t n = read(fd, to->data + to->len, TTY_LINE_BUFFER + 1);

		if (n <= 0)
			return;
		to->len += n;
	}
}

/* Writes to the slave, like the program's unprocessed output, what does not fit into the master's line buffer. */
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
	back = tty_reset_settings(slave, &was);
	return err ? err : back;
}

static int tty_put_output(int master, int slave, const struct tty_bytes *bytes, bool inject)
{
	uint32_t first = !inject ? 0 : bytes->len < TTY_LINE_BUFFER ? bytes->len : TTY_LINE_BUFFER;
	int err = tty_inject(master, bytes->data, first);
	int rest = tty_write_output(master, slave, bytes->data + first, bytes->len - first);

	return err ? err : rest;
}

/* ---- packet mode and stopped output */

/* This clears the status byte that the master has not read; it is saved. */
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

/* Also raises the bits of @status that flush buffers: the buffers must still be empty. */
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

/* After all output has been read, a terminal that cannot be written to has been stopped: by tcflow(3) or by a key. */
static bool tty_accepts_output(int slave)
{
	struct pollfd space = { .fd = slave, .events = POLLOUT };

	return poll(&space, 1, 0) == 1;
}

static bool tty_has_flow_keys(const struct tty_termios *t)
{
	return (t->iflag & IXON) && !(t->lflag & EXTPROC) && t->cc[VSTOP] && t->cc[VSTART] &&
	       t->cc[VSTOP] != t->cc[VSTART];
}

/* Resumes output, so that the terminal can be written to; returns what had stopped it. */
static enum tty_stopped tty_resume_output(int slave, const struct tty_termios *was)
{
	if (tty_accepts_output(slave))
		return TTY_NOT_STOPPED;
	ioctl(slave, TCXONC, TCOON);
	if (tty_accepts_output(slave))
		return TTY_STOPPED_BY_CALL;
	if (!tty_has_flow_keys(was) || ioctl(slave, TIOCSTI, &was->cc[VSTART]) < 0 || !tty_accepts_output(slave))
		return TTY_NOT_STOPPED; /* there was too much to read */
	return TTY_STOPPED_BY_KEY;
}

static int tty_stop_output(int slave, enum tty_stopped how, const struct tty_termios *t)
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

static bool tty_reports_flow(const struct tty_termios *t)
{
	return (t->iflag & IXON) && t->cc[VSTOP] == 023 && t->cc[VSTART] == 021;
}

/*
 * The other status bits: changing the settings to and fro makes the kernel raise them. TIOCPKT_START matters little and
 * is left out.
 */
static int tty_raise_status(int master, uint8_t status, const struct tty_termios *t)
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

static bool tty_has_bytes(const struct tty_bytes *bytes)
{
	return bytes->len || bytes->nr_eof;
}

/* ---- filling a pair */

/* The slave's input. What does not fit into its line buffer is written to the master, where it came from. */
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
	/* A worker of the kernel moves what was written; do not change the settings before that. */
	for (int i = 0; !err && !first && slave >= 0 && i < 100 && !tty_is_readable(slave); i++)
		usleep(100); /* style: see above; poll(2) would not report the end of a line */
	back = tty_reset_settings(master, termios);
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
	if (tty_has_bytes(&content->input)) {
		back = tty_fill_slave(master, slave, &content->input, termios, flushed);
		err = err ? err : back;
	}
	if (tty_has_bytes(&content->output)) {
		back = tty_put_output(master, slave, &content->output, tty_may_inject());
		err = err ? err : back;
	}
	if (!err && content->stopped && !stop_late)
		err = tty_stop_output(slave, content->stopped, termios);
	if (!err && content->packet && !flushed)
		err = tty_enter_packet_mode(master, slave, status);
	if (!err && content->stopped && stop_late)
		err = tty_stop_output(slave, content->stopped, termios);
	if (!err && status)
		err = tty_raise_status(master, status, termios);
	return err;
}

/* ---- copying a pair */

/* Whatever fails: put back what has been read. */
static int tty_copy_in_place(int master, int slave, struct tty_content *content)
{
	struct tty_termios was;
	int err = tty_get_termios(master, &was), back;

	if (err)
		return err;
	tty_leave_packet_mode(master, content);
	tty_read_output(master, &content->output);
	if (slave >= 0) {
		content->stopped = tty_resume_output(slave, &was);
		err = tty_read_input(slave, &was, &content->input);
	}
	back = tty_fill_pair(master, slave, content, &was);
	return err ? err : back;
}

struct tty_copy {
	int master, slave;
	struct guard *guard;
	struct tty_content *content;
};

/* Runs in a process of its own, in a process group of its own: signals to the dumper's group do not end it. */
static int tty_copier(void *arg)
{
	const struct tty_copy *copy = arg;

	copy->content->err = -ECANCELED;
	if (guard_enter(copy->guard)) {
		copy->content->err = tty_copy_in_place(copy->master, copy->slave, copy->content);
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
	return fail(-EPIPE, "the process that copies the unread data of a terminal was killed: the data may be lost");
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
