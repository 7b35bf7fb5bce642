// SPDX-License-Identifier: GPL-2.0-only
/*
 * Unread data of terminals. The kernel has no way to peek at it. So a helper process reads it and puts it back at once
 * with TIOCSTI, which works on both ends, or, without the right to that, by writing it to the other end; while the tree is frozen, no process notices. If the dumper is killed, the
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
#include "util/fds.h"
#include "util/log.h"

#define TTY_LINE_BUFFER 4095 /* the size of n_tty's buffer; further data waits in front of it */
#define TTY_ROOM 16 /* with less in it, a key may wait, too */
#define MOVE_TRIES 1000 /* of 100 us each, and more on a busy machine */

static bool tty_is_readable(int fd)
{
	struct pollfd look = { .fd = fd, .events = POLLIN };

	/* poll(2) also makes the kernel move received data to where it can be read. */
	return poll(&look, 1, 0) == 1 && (look.revents & POLLIN);
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

/* That do not occur in @bytes: up to @n. Returns how many there are. */
static int tty_unused_bytes(const struct tty_bytes *bytes, const struct tty_termios *t, uint8_t *ret, int n)
{
	bool used[256] = { [0] = true, ['\n'] = true };
	int found = 0;

	used[t->cc[VEOL]] = used[t->cc[VEOL2]] = true;
	for (uint32_t i = 0; i < bytes->len; i++)
		used[bytes->data[i]] = true;
	for (int c = 1; c < 256 && found < n; c++)
		if (!used[c])
			ret[found++] = (uint8_t)c;
	return found;
}

static struct tty_termios tty_verbatim(const struct tty_bytes *bytes, const struct tty_termios *t, bool keep_flow)
{
	/* If all 255 values occur, this one is the least wrong. */
	uint8_t unused[3] = { t->cc[VEOF] };
	int nr_unused = tty_unused_bytes(bytes, t, unused, 3);
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
	if (!keep_flow && nr_unused == 3) {
		v.iflag |= IXON;
		v.cc[VSTART] = unused[1];
		v.cc[VSTOP] = unused[2];
	}
	v.cc[VEOL] = t->cc[VEOL];
	v.cc[VEOL2] = t->cc[VEOL2];
	v.cc[VEOF] = unused[0];
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

/* To write output to. *ret_own is open if no task has it, or only for reading. */
static int tty_writable_slave(int master, int slave, int *ret_own)
{
	if (slave >= 0 && (fcntl(slave, F_GETFL) & O_ACCMODE) != O_RDONLY)
		return slave;
	*ret_own = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	return *ret_own < 0 ? -errno : *ret_own;
}

/* Writes to the slave, like the program's unprocessed output, what does not fit into the master's line buffer. */
static int tty_write_output(int master, int slave, const uint8_t *data, uint32_t len)
{
	_cleanup_close_ int own = -1;
	struct tty_termios was, plain;
	int err = tty_get_termios(master, &was), back;

	if (err || !len)
		return err;
	slave = tty_writable_slave(master, slave, &own);
	if (slave < 0)
		return slave;
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

static bool tty_has_bytes(const struct tty_bytes *bytes)
{
	return bytes->len || bytes->nr_eof;
}

/* ---- filling a pair */

/* Not if they are locked: TIOCSLCKTRMIOS. */
static bool tty_has_free_keys(int master, const struct tty_termios *verbatim)
{
	struct tty_termios now;

	return (verbatim->iflag & IXON) && !tty_get_termios(master, &now) && (now.iflag & IXON) &&
	       !(now.lflag & EXTPROC) && now.cc[VSTOP] == verbatim->cc[VSTOP] && now.cc[VSTART] == verbatim->cc[VSTART];
}

/*
 * A worker of the kernel moves what was written to the master. That it has is seen by a key that stops output, and that was
 * written last: @verbatim has one unless NULL or all values occur, and it will not wait for space. Then another one resumes output.
 */
static int tty_await_moved(int master, int slave, uint32_t len, const struct tty_termios *verbatim)
{
	bool by_key = verbatim && tty_has_free_keys(master, verbatim) && len < TTY_LINE_BUFFER - TTY_ROOM &&
		      tty_accepts_output(slave);
	int err;

	for (int i = 0; !by_key && i < MOVE_TRIES && !tty_is_readable(slave); i++)
		usleep(100); /* style: poll(2) would not report the end of a line */
	if (!by_key)
		return 0;
	err = tty_type_flow_key(master, slave, verbatim->cc[VSTOP], true);
	return err ? err : tty_type_flow_key(master, slave, verbatim->cc[VSTART], false);
}

/* The slave's input. What does not fit into its line buffer is written to the master, where it came from. */
static int tty_fill_slave(int master, int slave, const struct tty_bytes *bytes, const struct tty_termios *termios,
			  bool keep_flow)
{
	struct tty_termios verbatim = tty_verbatim(bytes, termios, keep_flow);
	uint32_t len, first;
	_cleanup_free_ uint8_t *flat = tty_flatten(bytes, verbatim.cc[VEOF], &len);
	int err = flat ? tty_set_termios(master, &verbatim) : -ENOMEM, back;

	first = slave < 0 || !tty_may_inject() ? 0 : len < TTY_LINE_BUFFER ? len : TTY_LINE_BUFFER;
	if (!err)
		err = tty_inject(slave, flat, first);
	if (flat && first < len) {
		back = tty_write_bounded(master, flat + first, len - first);
		err = err ? err : back;
	}
	/* Do not change the settings before what was written has been moved. */
	if (!err && !first && slave >= 0)
		err = tty_await_moved(master, slave, len, keep_flow ? NULL : &verbatim);
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
		err = tty_stop_output(master, slave, content->stopped, termios);
	if (!err && content->packet && !flushed)
		err = tty_enter_packet_mode(master, slave, status);
	if (!err && content->stopped && stop_late)
		err = tty_stop_output(master, slave, content->stopped, termios);
	if (!err && status)
		err = tty_raise_status(master, status, termios);
	return err;
}

/* ---- copying a pair */

/* Without the right to inject, what has been read is written to both ends. *ret_own: see tty_writable_slave(). */
static int tty_check_refill(int master, int slave, int *ret_own)
{
	int to = tty_may_inject() ? 0 : tty_writable_slave(master, slave, ret_own);

	if (to <= 0)
		return to;
	return (fcntl(master, F_GETFL) & O_ACCMODE) == O_RDONLY ? -EBADF : 0;
}

/* Whatever fails: put back what has been read. */
static int tty_copy_in_place(int master, int slave, struct tty_content *content)
{
	_cleanup_close_ int own = -1;
	struct tty_termios was;
	int err = tty_get_termios(master, &was), back;

	if (!err)
		err = tty_check_refill(master, slave, &own);
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
