/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Descriptors, and complete reads and writes. Everything is opened with O_CLOEXEC; EINTR is retried; errors are
 * negative errnos. Descriptors passed in are borrowed, descriptors returned are owned by the caller.
 */
#pragma once
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "util/str.h"

/* Bytes read: fewer than @len only at the end of the file. read(2), pread(2) */
ssize_t read_full(int fd, void *to, size_t len);
ssize_t pread_full(int fd, void *to, size_t len, off_t off);
/* The same, but the end of the file before @len bytes is -ENODATA. 0 on success. */
int pread_exact(int fd, void *to, size_t len, off_t off);
/* Writes everything, or fails: 0 on success. write(2), pwrite(2) */
int write_full(int fd, const void *from, size_t len);
int pwrite_full(int fd, const void *from, size_t len, off_t off);

/* openat(2) with O_CLOEXEC; @mode is used with O_CREAT and O_TMPFILE. */
int open_at(int dirfd, const char *path, int flags, mode_t mode);
/* The same with a path from a format string; -ENAMETOOLONG. */
int open_fmt(int dirfd, int flags, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* Birth time in ns since 1970; 0: not supported by the file system. statx(2) with STATX_BTIME */
struct statx;
uint64_t statx_birth(const struct statx *sx);
/* Appends the whole file to @to, also files without a size (/proc). */
int read_file(int dirfd, const char *path, struct buf *to);
/* The same, at most @most bytes in each read(2). */
int read_file_by(int dirfd, const char *path, size_t most, struct buf *to);
/*
 * The same for a file that returns all its content in one read(2) if the buffer is large enough: a short read is the
 * end.
 */
int read_record(int dirfd, const char *path, struct buf *to);
/* Writes a text to an existing file with one write(2): sysctls, cgroup files. */
int write_text(int dirfd, const char *path, const char *text);
/* The target of a link as a string in @ret: returns its length, or -ENAMETOOLONG. readlinkat(2) */
ssize_t read_link(int dirfd, const char *path, char *ret, size_t size);
/* mkdir -p of @path below @dirfd. */
int make_dirs(int dirfd, const char *path, mode_t mode);

/* A copy at @min or above; @fd stays open. fcntl(2) F_DUPFD_CLOEXEC */
int dup_fd_above(int fd, int min);
/* The same, but closes @fd; unchanged if it is at @min or above already. On failure @fd stays open. */
int move_fd_above(int fd, int min);
int set_cloexec(int fd, bool on);

/*
 * Copies @len bytes. Offset -1 means the descriptor's own position (pipes, sockets). In the kernel if possible
 * (copy_file_range(2), sendfile(2)), otherwise through a buffer. -ENODATA if @in ends early.
 */
int copy_range(int in, off_t in_off, int out, off_t out_off, uint64_t len);

/* Sends one message of @len bytes (at least 1) with @n descriptors. unix(7) SCM_RIGHTS; n <= 253. 0 on success. */
#define SEND_FDS_MAX 253
int send_fds(int sock, const int *fds, size_t n, const void *data, size_t len);
/*
 * Returns the bytes received (0: closed by the peer). *n: space in, descriptors out; if there are more: -EMSGSIZE, all
 * are closed.
 */
ssize_t recv_fds(int sock, int *fds, size_t *n, void *data, size_t len);

/* pidfd_open(2), pidfd_getfd(2), pidfd_send_signal(2), close_range(2) */
int sys_pidfd_open(pid_t pid, unsigned int flags);
int sys_pidfd_getfd(int pidfd, int fd);
int sys_pidfd_send_signal(int pidfd, int sig);
int sys_close_range(unsigned int first, unsigned int last, unsigned int flags);

/* As many descriptors as permitted (RLIMIT_NOFILE): we hold those of a tree for a while. */
void fds_raise_limit(void);
