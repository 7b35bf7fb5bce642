/* SPDX-License-Identifier: LGPL-2.1-only */
/* Direct system calls on files and sockets: a part of pie.h. */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <compel/syscall.h>

static inline long sys_write(int fd, const void *buf, size_t n)
{
	return sys_call3(__NR_write, (long)fd, (long)buf, (long)n);
}

static inline long sys_pread64(int fd, void *buf, size_t n, off_t offset)
{
	return sys_call4(__NR_pread64, (long)fd, (long)buf, (long)n, (long)offset);
}

static inline long sys_close(int fd)
{
	return sys_call1(__NR_close, (long)fd);
}

static inline long sys_close_range(unsigned int first, unsigned int last, unsigned int flags)
{
	return sys_call3(__NR_close_range, (long)first, (long)last, (long)flags);
}

static inline long sys_ioctl(int fd, unsigned int request, unsigned long arg)
{
	return sys_call3(__NR_ioctl, (long)fd, (long)request, (long)arg);
}

static inline long sys_fcntl(int fd, int command, unsigned long arg)
{
	return sys_call3(__NR_fcntl, (long)fd, (long)command, (long)arg);
}

static inline long sys_pidfd_open(pid_t pid, unsigned int flags)
{
	return sys_call2(__NR_pidfd_open, (long)pid, (long)flags);
}

static inline long sys_pidfd_getfd(int pidfd, int fd, unsigned int flags)
{
	return sys_call3(__NR_pidfd_getfd, (long)pidfd, (long)fd, (long)flags);
}

static inline long sys_pidfd_send_signal(int pidfd, int sig, void *info, unsigned int flags)
{
	return sys_call4(__NR_pidfd_send_signal, (long)pidfd, (long)sig, (long)info, (long)flags);
}
