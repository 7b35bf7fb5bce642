/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * /proc/PID/fdinfo/FD: proc_pid_fdinfo(5). Common lines are members, those of one type of file are items. Functions
 * return 0 or a negative errno; a known line that is malformed is -EBADMSG; unknown lines are kept in @other.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "kernel/locks.h"
#include "kernel/proc_pid.h"

#define FDINFO_HANDLE_MAX 128 /* bytes of a file handle: MAX_HANDLE_SZ of the kernel */
struct fdinfo_handle {
	uint32_t bytes;
	int type;
	uint8_t f_handle[FDINFO_HANDLE_MAX];
};

enum fdinfo_tag {
	FDINFO_EVENTFD, /* eventfd(2) */
	FDINFO_EPOLL_TFD, /* epoll(7): one for each watched descriptor */
	FDINFO_SIGNALFD, /* signalfd(2) */
	FDINFO_TIMERFD, /* timerfd_create(2) */
	FDINFO_INOTIFY_WD, /* inotify(7): one for each watch */
	FDINFO_FANOTIFY_INIT, /* fanotify(7) */
	FDINFO_FANOTIFY_INODE, /* marks, one each */
	FDINFO_FANOTIFY_MOUNT,
	FDINFO_FANOTIFY_SB,
	FDINFO_FANOTIFY_MNTNS,
	FDINFO_PIDFD, /* pidfd_open(2) */
	FDINFO_TTY_INDEX,
	FDINFO_LOCK, /* of this open file: flock(2), fcntl(2) OFD and POSIX locks, leases */
	FDINFO_SCM_FDS, /* unix(7): descriptors in flight to this socket */
	FDINFO_UFFD, /* userfaultfd(2) */
};

struct fdinfo_item {
	enum fdinfo_tag tag;
	union {
		struct {
			uint64_t count;
			int id; /* -1: not shown */
			int semaphore; /* -1: not shown */
		} eventfd;
		struct {
			int fd; /* descriptor number when it was added */
			uint32_t events; /* with EPOLLERR and EPOLLHUP, which the kernel adds */
			uint32_t sdev; /* kdev_make() */
			uint64_t data, ino;
			int64_t pos;
			bool has_file; /* pos, ino, sdev are shown */
		} epoll;
		uint64_t signal_mask;
		struct {
			int clock;
			uint64_t ticks;
			uint32_t settime_flags;
			int64_t value_sec, value_nsec, interval_sec, interval_nsec;
		} timerfd;
		struct {
			int wd;
			uint64_t ino;
			uint32_t sdev, mask, ignored_mask;
			bool has_handle;
			struct fdinfo_handle handle;
		} inotify;
		struct {
			uint32_t flags, event_flags;
		} fanotify_init;
		struct {
			uint64_t ino; /* INODE */
			uint32_t sdev; /* INODE, SB */
			uint32_t mnt_id; /* MOUNT; MNTNS: inode of the namespace */
			uint32_t mflags;
			uint64_t mask, ignored_mask;
			bool has_handle; /* INODE */
			struct fdinfo_handle handle;
		} fanotify;
		struct {
			pid_t pid; /* as seen by the reader: 0 if not visible, -1 if the process has exited */
			unsigned int levels;
			pid_t nspid[PROC_NS_LEVELS];
		} pidfd;
		uint32_t tty_index;
		struct file_lock lock;
		uint32_t scm_fds;
		struct {
			uint64_t pending, total; /* unread messages, including those of waiting threads */
			uint32_t features; /* enabled UFFD_FEATURE_*; bit 31: UFFDIO_API was done */
			uint64_t known; /* features and ioctls of this kernel */
		} uffd;
	};
};

struct fdinfo {
	int64_t pos;
	uint32_t flags; /* open(2), including O_CLOEXEC */
	int mnt_id; /* -1: not shown */
	uint64_t ino;
	bool has_ino;
	struct fdinfo_item *v;
	size_t n, cap;
	struct buf other; /* whole lines */
};

int fdinfo_read(const struct proc *p, int fd, struct fdinfo *ret);
int fdinfo_parse(const char *text, size_t len, struct fdinfo *ret);
void fdinfo_free(struct fdinfo *f);
#define _cleanup_fdinfo_ __attribute__((cleanup(fdinfo_free)))
/* The first item with that tag, or NULL. */
const struct fdinfo_item *fdinfo_find(const struct fdinfo *f, enum fdinfo_tag tag);
