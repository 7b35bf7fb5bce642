// SPDX-License-Identifier: GPL-2.0-only
/*
 * Wraps the library's calls that affect a target (ld --wrap): this process can be killed before or after each of them,
 * and one ptrace call can be made to fail.
 */
#include <sys/ptrace.h>
#include "help.h"

int kill_at, kill_count;
int fail_at, fail_count, fail_error;

long __real_ptrace(enum __ptrace_request request, pid_t pid, void *addr, void *data);
long __wrap_ptrace(enum __ptrace_request request, pid_t pid, void *addr, void *data);
pid_t __real_waitpid(pid_t pid, int *status, int options);
pid_t __wrap_waitpid(pid_t pid, int *status, int options);
ssize_t __real_pwrite64(int fd, const void *buf, size_t n, off_t offset);
ssize_t __wrap_pwrite64(int fd, const void *buf, size_t n, off_t offset);

static void point(void)
{
	if (++kill_count == kill_at)
		raise(SIGKILL);
}

long __wrap_ptrace(enum __ptrace_request request, pid_t pid, void *addr, void *data)
{
	long ret;

	if (++fail_count == fail_at) {
		errno = fail_error;
		return -1; /* style: like ptrace(2) on failure */
	}
	point();
	ret = __real_ptrace(request, pid, addr, data);
	point();
	return ret;
}

pid_t __wrap_waitpid(pid_t pid, int *status, int options)
{
	pid_t ret = __real_waitpid(pid, status, options);

	if (ret > 0)
		point();
	return ret;
}

ssize_t __wrap_pwrite64(int fd, const void *buf, size_t n, off_t offset)
{
	ssize_t ret;

	point();
	ret = __real_pwrite64(fd, buf, n, offset);
	point();
	return ret;
}
