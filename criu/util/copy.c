// SPDX-License-Identifier: GPL-2.0-only
/* Copying between descriptors: in the kernel if possible, otherwise through a buffer. */
#include <errno.h>
#include <sys/sendfile.h>

#include "base/bits.h"
#include "base/cleanup.h"
#include "util/fds.h"

#define COPY_STEP (1u << 30)
#define COPY_BUFFER (256u << 10)

/* Progress of a copy: if one method fails, the next one continues from there. */
struct copy {
	int in, out;
	off_t in_off, out_off;
	uint64_t left;
};

static void copy_advance(struct copy *c, uint64_t n)
{
	c->left -= n;
	if (c->in_off >= 0)
		c->in_off += n;
	if (c->out_off >= 0)
		c->out_off += n;
}

/* These errors mean that the method does not support these two descriptors. */
static bool is_unsupported(int err)
{
	return err == -EXDEV || err == -EINVAL || err == -ENOSYS || err == -EOPNOTSUPP || err == -EBADF ||
	       err == -ESPIPE || err == -EPERM || err == -ETXTBSY || err == -EISDIR;
}

static ssize_t copy_step_kernel(struct copy *c)
{
	size_t step = MIN_OF(c->left, (uint64_t)COPY_STEP);
	off_t in_off = c->in_off, out_off = c->out_off;
	ssize_t n;

	/* sendfile has no output offset: only possible at @out's own position. */
	if (c->out_off < 0)
		n = sendfile(c->out, c->in, c->in_off < 0 ? NULL : &in_off, step);
	else
		n = copy_file_range(c->in, c->in_off < 0 ? NULL : &in_off, c->out, &out_off, step, 0);
	return n < 0 ? -errno : n;
}

static int copy_buffered(struct copy *c)
{
	_cleanup_free_ char *buf = malloc(COPY_BUFFER);

	if (!buf)
		return -ENOMEM;
	while (c->left) {
		size_t step = MIN_OF(c->left, (uint64_t)COPY_BUFFER);
		ssize_t n = c->in_off < 0 ? read(c->in, buf, step) : pread(c->in, buf, step, c->in_off);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -ENODATA;
		int err = c->out_off < 0 ? write_full(c->out, buf, n) : pwrite_full(c->out, buf, n, c->out_off);
		if (err)
			return err;
		copy_advance(c, n);
	}
	return 0;
}

int copy_range(int in, off_t in_off, int out, off_t out_off, uint64_t len)
{
	struct copy c = { .in = in, .out = out, .in_off = in_off, .out_off = out_off, .left = len };

	while (c.left) {
		ssize_t n = copy_step_kernel(&c);
		if (n == -EINTR)
			continue;
		/* 0 may be the end, or a file of /proc that looks empty to copy_file_range: read to find out. */
		if (!n || (n < 0 && is_unsupported(n)))
			return copy_buffered(&c);
		if (n < 0)
			return n;
		copy_advance(&c, n);
	}
	return 0;
}
