/* SPDX-License-Identifier: LGPL-2.1-only */
/* Direct system calls on files and sockets: a part of pie.h. */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <compel/syscall.h>

/* ---- files ---- */

static inline long sys_read(int fd, void *buf, size_t n)
{
	return sys_call3(__NR_read, (long)fd, (long)buf, (long)n);
}

static inline long sys_write(int fd, const void *buf, size_t n)
{
	return sys_call3(__NR_write, (long)fd, (long)buf, (long)n);
}

static inline long sys_pread64(int fd, void *buf, size_t n, off_t offset)
{
	return sys_call4(__NR_pread64, (long)fd, (long)buf, (long)n, (long)offset);
}

static inline long sys_pwrite64(int fd, const void *buf, size_t n, off_t offset)
{
	return sys_call4(__NR_pwrite64, (long)fd, (long)buf, (long)n, (long)offset);
}

static inline long sys_readv(int fd, const void *iov, unsigned long nr)
{
	return sys_call3(__NR_readv, (long)fd, (long)iov, (long)nr);
}

static inline long sys_writev(int fd, const void *iov, unsigned long nr)
{
	return sys_call3(__NR_writev, (long)fd, (long)iov, (long)nr);
}

static inline long sys_preadv(int fd, const void *iov, unsigned long nr, unsigned long offset, unsigned long high)
{
	return sys_call5(__NR_preadv, (long)fd, (long)iov, (long)nr, (long)offset, (long)high);
}

static inline long sys_pwritev(int fd, const void *iov, unsigned long nr, unsigned long offset, unsigned long high)
{
	return sys_call5(__NR_pwritev, (long)fd, (long)iov, (long)nr, (long)offset, (long)high);
}

static inline long sys_openat(int dir, const char *path, int flags, mode_t mode)
{
	return sys_call4(__NR_openat, (long)dir, (long)path, (long)flags, (long)mode);
}

static inline long sys_open(const char *path, int flags, mode_t mode)
{
	return sys_call3(__NR_open, (long)path, (long)flags, (long)mode);
}

static inline long sys_close(int fd)
{
	return sys_call1(__NR_close, (long)fd);
}

static inline long sys_close_range(unsigned int first, unsigned int last, unsigned int flags)
{
	return sys_call3(__NR_close_range, (long)first, (long)last, (long)flags);
}

static inline long sys_lseek(int fd, off_t offset, int whence)
{
	return sys_call3(__NR_lseek, (long)fd, (long)offset, (long)whence);
}

static inline long sys_fstat(int fd, void *stat)
{
	return sys_call2(__NR_fstat, (long)fd, (long)stat);
}

static inline long sys_ioctl(int fd, unsigned int request, unsigned long arg)
{
	return sys_call3(__NR_ioctl, (long)fd, (long)request, (long)arg);
}

static inline long sys_fcntl(int fd, int command, unsigned long arg)
{
	return sys_call3(__NR_fcntl, (long)fd, (long)command, (long)arg);
}

static inline long sys_dup(int fd)
{
	return sys_call1(__NR_dup, (long)fd);
}

static inline long sys_dup2(int fd, int to)
{
	return sys_call2(__NR_dup2, (long)fd, (long)to);
}

static inline long sys_dup3(int fd, int to, int flags)
{
	return sys_call3(__NR_dup3, (long)fd, (long)to, (long)flags);
}

static inline long sys_pipe2(int *fds, int flags)
{
	return sys_call2(__NR_pipe2, (long)fds, (long)flags);
}

static inline long sys_ftruncate(int fd, off_t length)
{
	return sys_call2(__NR_ftruncate, (long)fd, (long)length);
}

static inline long sys_fallocate(int fd, int mode, off_t offset, off_t length)
{
	return sys_call4(__NR_fallocate, (long)fd, (long)mode, (long)offset, (long)length);
}

static inline long sys_splice(int from, void *from_offset, int to, void *to_offset, size_t n, unsigned int flags)
{
	return sys_call6(__NR_splice, (long)from, (long)from_offset, (long)to, (long)to_offset, (long)n, (long)flags);
}

static inline long sys_vmsplice(int fd, const void *iov, unsigned long nr, unsigned int flags)
{
	return sys_call4(__NR_vmsplice, (long)fd, (long)iov, (long)nr, (long)flags);
}

static inline long sys_tee(int from, int to, size_t n, unsigned int flags)
{
	return sys_call4(__NR_tee, (long)from, (long)to, (long)n, (long)flags);
}

static inline long sys_readlinkat(int dir, const char *path, char *buf, size_t n)
{
	return sys_call4(__NR_readlinkat, (long)dir, (long)path, (long)buf, (long)n);
}

static inline long sys_getcwd(char *buf, size_t n)
{
	return sys_call2(__NR_getcwd, (long)buf, (long)n);
}

static inline long sys_chdir(const char *path)
{
	return sys_call1(__NR_chdir, (long)path);
}

static inline long sys_fchdir(int fd)
{
	return sys_call1(__NR_fchdir, (long)fd);
}

static inline long sys_chroot(const char *path)
{
	return sys_call1(__NR_chroot, (long)path);
}

static inline long sys_umask(mode_t mask)
{
	return sys_call1(__NR_umask, (long)mask);
}

static inline long sys_flock(int fd, int operation)
{
	return sys_call2(__NR_flock, (long)fd, (long)operation);
}

static inline long sys_poll(void *fds, unsigned int nr, int timeout)
{
	return sys_call3(__NR_poll, (long)fds, (long)nr, (long)timeout);
}

static inline long sys_ppoll(void *fds, unsigned int nr, void *timeout, const uint64_t *mask, size_t mask_size)
{
	return sys_call5(__NR_ppoll, (long)fds, (long)nr, (long)timeout, (long)mask, (long)mask_size);
}

static inline long sys_memfd_create(const char *name, unsigned int flags)
{
	return sys_call2(__NR_memfd_create, (long)name, (long)flags);
}

static inline long sys_eventfd2(unsigned int count, int flags)
{
	return sys_call2(__NR_eventfd2, (long)count, (long)flags);
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

/* ---- sockets ---- */

static inline long sys_socket(int family, int type, int protocol)
{
	return sys_call3(__NR_socket, (long)family, (long)type, (long)protocol);
}

static inline long sys_socketpair(int family, int type, int protocol, int *fds)
{
	return sys_call4(__NR_socketpair, (long)family, (long)type, (long)protocol, (long)fds);
}

static inline long sys_connect(int fd, const void *address, unsigned int len)
{
	return sys_call3(__NR_connect, (long)fd, (long)address, (long)len);
}

static inline long sys_bind(int fd, const void *address, unsigned int len)
{
	return sys_call3(__NR_bind, (long)fd, (long)address, (long)len);
}

static inline long sys_listen(int fd, int backlog)
{
	return sys_call2(__NR_listen, (long)fd, (long)backlog);
}

static inline long sys_accept4(int fd, void *address, unsigned int *len, int flags)
{
	return sys_call4(__NR_accept4, (long)fd, (long)address, (long)len, (long)flags);
}

static inline long sys_sendmsg(int fd, const void *msg, int flags)
{
	return sys_call3(__NR_sendmsg, (long)fd, (long)msg, (long)flags);
}

static inline long sys_recvmsg(int fd, void *msg, int flags)
{
	return sys_call3(__NR_recvmsg, (long)fd, (long)msg, (long)flags);
}

static inline long sys_sendto(int fd, const void *buf, size_t n, int flags, const void *address, unsigned int len)
{
	return sys_call6(__NR_sendto, (long)fd, (long)buf, (long)n, (long)flags, (long)address, (long)len);
}

static inline long sys_recvfrom(int fd, void *buf, size_t n, int flags, void *address, unsigned int *len)
{
	return sys_call6(__NR_recvfrom, (long)fd, (long)buf, (long)n, (long)flags, (long)address, (long)len);
}

static inline long sys_setsockopt(int fd, int level, int option, const void *value, unsigned int len)
{
	return sys_call5(__NR_setsockopt, (long)fd, (long)level, (long)option, (long)value, (long)len);
}

static inline long sys_getsockopt(int fd, int level, int option, void *value, unsigned int *len)
{
	return sys_call5(__NR_getsockopt, (long)fd, (long)level, (long)option, (long)value, (long)len);
}

static inline long sys_getsockname(int fd, void *address, unsigned int *len)
{
	return sys_call3(__NR_getsockname, (long)fd, (long)address, (long)len);
}

static inline long sys_getpeername(int fd, void *address, unsigned int *len)
{
	return sys_call3(__NR_getpeername, (long)fd, (long)address, (long)len);
}

static inline long sys_shutdown(int fd, int how)
{
	return sys_call2(__NR_shutdown, (long)fd, (long)how);
}
