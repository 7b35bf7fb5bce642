// SPDX-License-Identifier: LGPL-2.1-only
/*
 * Handles the system call that a stop interrupted. The kernel restarts most calls by itself, some with the remaining
 * time, some with the full timeout; others return EINTR. See signal(7), "Interruption of system calls and library
 * functions by stop signals", and restart_syscall(2).
 *
 * Left to the kernel: calls without a timeout, or with an absolute one; calls that it continues itself, if the thread's
 * filters allow restart_syscall(2). select(2) and ppoll(2) wait for the remaining time, which the kernel has stored in
 * their timeout argument, less the time of the stop.
 * Restarted by the kernel on our behalf: calls without a timeout that return EINTR only because of our stop. If a signal
 * is handled before, they return EINTR as they would have.
 * EINTR: calls that would wait for their full timeout again, and calls that the thread's filters would deny.
 *
 * All this is set up in the stop itself, before anything else: afterwards we may be killed.
 */
#include "interrupted.h"
#include <errno.h>
#include <linux/limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "base/bits.h"
#include "base/cleanup.h"
#include "filter.h"
#include "target.h"

#define NS_PER_S 1000000000ll
#define NS_PER_US 1000ll

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef SYS_pidfd_getfd
#define SYS_pidfd_getfd 438
#endif

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

static bool copy(pid_t tid, uint64_t at, void *data, size_t len, bool write)
{
	struct iovec here = { data, len }, there = { (void *)at, len };
	ssize_t n =
		write ? process_vm_writev(tid, &here, 1, &there, 1, 0) : process_vm_readv(tid, &here, 1, &there, 1, 0);

	return n == (ssize_t)len;
}

/* ---- does it have a timeout? ---- */

/* Checks only the link text, as a file server may not respond. */
static bool fd_is(pid_t tid, uint64_t fd, const char *kind)
{
	char path[64], name[64];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", tid, (int)fd);
	n = readlink(path, name, sizeof(name) - 1);
	if (n < 0)
		return false;
	name[n] = 0;
	return !strncmp(name, kind, strlen(kind));
}

/* read(2) from a terminal waits for VTIME tenths of a second if VMIN is 0: termios(3). */
static bool terminal_has_limit(pid_t tid, uint64_t fd)
{
	_cleanup_close_ int pidfd = -1, ours = -1;
	struct termios t;
	int pid;

	if (!fd_is(tid, fd, "/dev/pts/") && !fd_is(tid, fd, "/dev/tty"))
		return false;
	pid = target_tgid(tid);
	pidfd = pid > 0 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;
	ours = pidfd >= 0 ? (int)syscall(SYS_pidfd_getfd, pidfd, (int)fd, 0) : -1;
	return ours >= 0 && !tcgetattr(ours, &t) && !(t.c_lflag & ICANON) && !t.c_cc[VMIN] && t.c_cc[VTIME];
}

/* struct io_uring_getevents_arg of newer kernels */
struct ring_wait {
	uint64_t sigmask;
	uint32_t sigmask_size, min_wait_us;
	uint64_t ts;
};

static bool ring_has_limit(pid_t tid, uint64_t at, bool until)
{
	struct ring_wait wait = { 0 };

	return copy(tid, at, &wait, sizeof(wait), false) && (wait.min_wait_us || (wait.ts && !until));
}

static bool restarts_full_timeout(pid_t tid, const struct compel_regs *regs, struct compel_stop *stop)
{
	uint64_t where = 0;
	enum wait_limit limit = arch_wait_limit(regs, &where);

	switch (limit) {
	case WAIT_RELATIVE:
		return true;
	case WAIT_BY_SOCKET:
		return fd_is(tid, where, "socket:");
	case WAIT_BY_TERMINAL:
		return terminal_has_limit(tid, where);
	case WAIT_BY_RING:
	case WAIT_BY_RING_UNTIL:
		return ring_has_limit(tid, where, limit == WAIT_BY_RING_UNTIL);
	case WAIT_REST_US:
	case WAIT_REST_NS:
		stop->rest_at = where;
		stop->rest_in_us = limit == WAIT_REST_US;
		stop->since_ns = now_ns();
		return false;
	default:
		return false;
	}
}

/* ---- the stop ---- */

static int deliverable(pid_t tid, uint64_t *ret)
{
	struct compel_status status;
	uint64_t mask;
	int err = target_sigmask(tid, &mask);

	if (!err)
		err = target_status(tid, &status);
	if (!err)
		*ret = target_deliverable(&status, mask);
	return err;
}

static int return_eintr(pid_t tid, struct compel_regs *regs)
{
	arch_return_eintr(regs);
	return arch_write_regs(tid, regs);
}

static int restart_unless_handled(pid_t tid, struct compel_regs *regs)
{
	arch_restart_unless_handled(regs);
	return arch_write_regs(tid, regs);
}

/* It has returned EINTR already. */
static int settle_ended(pid_t tid, struct compel_regs *regs, struct compel_stop *stop)
{
	uint64_t signals;
	int err;

	if (restarts_full_timeout(tid, regs, stop))
		return 0;
	err = deliverable(tid, &signals);
	if (err || signals || filter_query(tid, regs, arch_call_nr(regs), true) == FILTER_REFUSE)
		return err;
	return restart_unless_handled(tid, regs);
}

static int settle_restarted(pid_t tid, struct compel_regs *regs, struct compel_stop *stop)
{
	if (restarts_full_timeout(tid, regs, stop) ||
	    filter_query(tid, regs, arch_call_nr(regs), true) == FILTER_REFUSE)
		return return_eintr(tid, regs);
	return 0;
}

/*
 * The kernel makes it issue restart_syscall(2), which a filter may deny. Then it returns EINTR, as after a signal, if
 * it has a timeout: a shorter one cannot be set in its registers, as the program would see the change.
 */
static int settle_continued(pid_t tid, struct compel_regs *regs, struct compel_stop *stop)
{
	enum filter_verdict verdict = filter_query(tid, regs, arch_restart_nr(), false);

	if (verdict == FILTER_NONE || verdict == FILTER_PASS)
		return 0;
	if (restarts_full_timeout(tid, regs, stop) ||
	    filter_query(tid, regs, arch_call_nr(regs), true) == FILTER_REFUSE)
		return return_eintr(tid, regs);
	return restart_unless_handled(tid, regs);
}

int interrupted_settle(pid_t tid, struct compel_stop *stop)
{
	struct compel_regs regs;
	int err = arch_read_regs(tid, &regs);

	/* Its calls are left to the kernel. */
	stop->foreign = err == -ENOEXEC;
	if (err || stop->state == COMPEL_STOPPED)
		return stop->foreign ? 0 : err;
	switch (arch_call_end(&regs)) {
	case CALL_EINTR:
		return settle_ended(tid, &regs, stop);
	case CALL_RESTARTS:
		return settle_restarted(tid, &regs, stop);
	case CALL_CONTINUES:
		return settle_continued(tid, &regs, stop);
	default:
		return 0;
	}
}

/* ---- the end of the stop ---- */

/* The time of the stop counts for the program, too. */
static void shorten_rest(pid_t tid, const struct compel_stop *stop)
{
	int64_t unit = stop->rest_in_us ? NS_PER_US : 1, left;
	struct timespec rest = { 0 }; /* or a struct timeval: two words as well */

	if (!copy(tid, stop->rest_at, &rest, sizeof(rest), false) || rest.tv_sec < 0 ||
	    rest.tv_sec > INT64_MAX / NS_PER_S - 1)
		return;
	left = rest.tv_sec * NS_PER_S + rest.tv_nsec * unit - (int64_t)(now_ns() - stop->since_ns);
	left = MAX_OF(left, (int64_t)0);
	rest.tv_sec = left / NS_PER_S;
	rest.tv_nsec = left % NS_PER_S / unit;
	copy(tid, stop->rest_at, &rest, sizeof(rest), true);
}

void interrupted_resume(pid_t tid, const struct compel_stop *stop)
{
	if (stop->rest_at)
		shorten_rest(tid, stop);
}
