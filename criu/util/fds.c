// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/bits.h"
#include "base/cleanup.h"
#include "util/fds.h"

#define READ_CHUNK (64u << 10)

/* Without @off: where the file is. */
static ssize_t read_all(int fd, void *to, size_t len, const off_t *off)
{
	size_t done = 0;

	while (done < len) {
		char *at = (char *)to + done;
		ssize_t n = off ? pread(fd, at, len - done, *off + done) : read(fd, at, len - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			break;
		done += n;
	}
	return done;
}

ssize_t read_full(int fd, void *to, size_t len)
{
	return read_all(fd, to, len, NULL);
}

ssize_t pread_full(int fd, void *to, size_t len, off_t off)
{
	return read_all(fd, to, len, &off);
}

int pread_exact(int fd, void *to, size_t len, off_t off)
{
	ssize_t n = pread_full(fd, to, len, off);

	return n < 0 ? (int)n : (size_t)n < len ? -ENODATA : 0;
}

static int write_all(int fd, const void *from, size_t len, const off_t *off)
{
	size_t done = 0;

	while (done < len) {
		const char *at = (const char *)from + done;
		ssize_t n = off ? pwrite(fd, at, len - done, *off + done) : write(fd, at, len - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EIO;
		done += n;
	}
	return 0;
}

int write_full(int fd, const void *from, size_t len)
{
	return write_all(fd, from, len, NULL);
}

int pwrite_full(int fd, const void *from, size_t len, off_t off)
{
	return write_all(fd, from, len, &off);
}

int open_at(int dirfd, const char *path, int flags, mode_t mode)
{
	int fd;

	do
		fd = openat(dirfd, path, flags | O_CLOEXEC, mode);
	while (fd < 0 && errno == EINTR);
	return fd < 0 ? -errno : fd;
}

int open_fmt(int dirfd, int flags, const char *fmt, ...)
{
	char path[4096];
	va_list ap;

	va_start(ap, fmt);
	int n = vsnprintf(path, sizeof(path), fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof(path))
		return -ENAMETOOLONG;
	return open_at(dirfd, path, flags, 0600);
}

uint64_t statx_birth(const struct statx *sx)
{
	return sx->stx_mask & STATX_BTIME ? (uint64_t)sx->stx_btime.tv_sec * 1000000000 + sx->stx_btime.tv_nsec : 0;
}

/* By pieces of at most @most bytes. */
static int read_fd(int fd, size_t most, struct buf *to, bool one_record)
{
	for (;;) {
		/* Most files that are read this way are in /proc and smaller than a page: start with that. */
		int err = buf_reserve(to, to->len < READ_CHUNK ? 4095 : READ_CHUNK);
		if (err)
			return err;
		size_t room = MIN_OF(to->cap - to->len - 1, most);
		ssize_t n = read(fd, to->data + to->len, room);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			return 0;
		to->len += n;
		to->data[to->len] = 0;
		if (one_record && (size_t)n < room)
			return 0;
	}
}

int read_file(int dirfd, const char *path, struct buf *to)
{
	_cleanup_close_ int fd = open_at(dirfd, path, O_RDONLY, 0);

	return fd < 0 ? fd : read_fd(fd, SIZE_MAX, to, false);
}

int read_file_by(int dirfd, const char *path, size_t most, struct buf *to)
{
	_cleanup_close_ int fd = open_at(dirfd, path, O_RDONLY, 0);

	return fd < 0 ? fd : read_fd(fd, most, to, false);
}

int read_record(int dirfd, const char *path, struct buf *to)
{
	_cleanup_close_ int fd = open_at(dirfd, path, O_RDONLY, 0);

	return fd < 0 ? fd : read_fd(fd, SIZE_MAX, to, true);
}

int write_text(int dirfd, const char *path, const char *text)
{
	_cleanup_close_ int fd = open_at(dirfd, path, O_WRONLY, 0);
	ssize_t n, len = strlen(text);

	if (fd < 0)
		return fd;
	do
		n = write(fd, text, len);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n < len ? -EIO : 0;
}

ssize_t read_link(int dirfd, const char *path, char *ret, size_t size)
{
	ssize_t n = readlinkat(dirfd, path, ret, size);

	if (n < 0)
		return -errno;
	if ((size_t)n >= size)
		return -ENAMETOOLONG;
	ret[n] = 0;
	return n;
}

int make_dirs(int dirfd, const char *path, mode_t mode)
{
	char part[4096];
	size_t len = strlen(path);

	if (len >= sizeof(part))
		return -ENAMETOOLONG;
	for (size_t i = 1; i <= len; i++) {
		if (path[i] && path[i] != '/')
			continue;
		memcpy(part, path, i);
		part[i] = 0;
		if (mkdirat(dirfd, part, mode) < 0 && errno != EEXIST)
			return -errno;
	}
	return 0;
}

int dup_fd_above(int fd, int min)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, min);

	return copy < 0 ? -errno : copy;
}

int move_fd_above(int fd, int min)
{
	if (fd >= min) {
		int err = set_cloexec(fd, true);
		return err ? err : fd;
	}
	int copy = dup_fd_above(fd, min);
	if (copy >= 0)
		close(fd);
	return copy;
}

int set_cloexec(int fd, bool on)
{
	return fcntl(fd, F_SETFD, on ? FD_CLOEXEC : 0) < 0 ? -errno : 0;
}

int send_fds(int sock, const int *fds, size_t n, const void *data, size_t len)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int) * SEND_FDS_MAX)];
	} control = { 0 };
	struct iovec iov = { .iov_base = (void *)data, .iov_len = len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t sent;

	if (n > SEND_FDS_MAX || !len)
		return -EINVAL;
	if (n) {
		msg.msg_control = control.bytes;
		msg.msg_controllen = CMSG_SPACE(sizeof(int) * n);
		control.align.cmsg_level = SOL_SOCKET;
		control.align.cmsg_type = SCM_RIGHTS;
		control.align.cmsg_len = CMSG_LEN(sizeof(int) * n);
		memcpy(CMSG_DATA(&control.align), fds, sizeof(int) * n);
	}
	do
		sent = sendmsg(sock, &msg, MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	if (sent < 0)
		return -errno;
	/* A stream socket accepted part of it: the descriptors were sent with the first byte. */
	return (size_t)sent < len ? write_full(sock, (const char *)data + sent, len - sent) : 0;
}

/* Takes the descriptors of @msg, at most @room; the others are closed. Returns how many there were. */
static size_t take_fds(struct msghdr *msg, int *fds, size_t room)
{
	size_t n = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		size_t here = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < here; i++, n++) {
			int fd;
			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
			if (n < room)
				fds[n] = fd;
			else
				close(fd);
		}
	}
	return n;
}

ssize_t recv_fds(int sock, int *fds, size_t *n, void *data, size_t len)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int) * SEND_FDS_MAX)];
	} control = { 0 };
	struct iovec iov = { .iov_base = data, .iov_len = len };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof(control)
	};
	ssize_t got;

	do
		got = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return -errno;
	size_t have = take_fds(&msg, fds, *n);
	if (have > *n || (msg.msg_flags & (MSG_CTRUNC | MSG_TRUNC))) {
		for (size_t i = 0; i < MIN_OF(have, *n); i++)
			close(fds[i]);
		return -EMSGSIZE;
	}
	*n = have;
	return got;
}

int sys_pidfd_open(pid_t pid, unsigned int flags)
{
	int fd = syscall(SYS_pidfd_open, pid, flags);

	return fd < 0 ? -errno : fd;
}

int sys_pidfd_getfd(int pidfd, int fd)
{
	int copy = syscall(SYS_pidfd_getfd, pidfd, fd, 0);

	return copy < 0 ? -errno : copy;
}

int sys_pidfd_send_signal(int pidfd, int sig)
{
	return syscall(SYS_pidfd_send_signal, pidfd, sig, NULL, 0) < 0 ? -errno : 0;
}

int sys_close_range(unsigned int first, unsigned int last, unsigned int flags)
{
	return syscall(SYS_close_range, first, last, flags) < 0 ? -errno : 0;
}

void fds_raise_limit(void)
{
	struct rlimit lim;

	if (!getrlimit(RLIMIT_NOFILE, &lim) && lim.rlim_cur < lim.rlim_max) {
		lim.rlim_cur = lim.rlim_max;
		setrlimit(RLIMIT_NOFILE, &lim);
	}
}
