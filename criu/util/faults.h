/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The calls that can be made to fail in debug builds (faults.c; mk/criu.mk makes the linker wrap them), by return type.
 * Calls that only release something are not included: their failure could not be handled.
 */
#pragma once

/* clang-format off */
#define FAULT_CALLS(LONG, INT, POINTER) \
	LONG(read) LONG(write) LONG(pread64) LONG(pwrite64) LONG(writev) LONG(readlinkat) LONG(lseek64) \
	LONG(recv) LONG(recvmsg) LONG(send) LONG(sendmsg) LONG(sendfile64) LONG(tee) LONG(copy_file_range) \
	LONG(process_vm_readv) LONG(process_vm_writev) LONG(syscall) LONG(ptrace) LONG(mmap64) LONG(mremap) \
	LONG(shmat) \
	INT(open64) INT(openat64) INT(fcntl64) INT(ioctl) INT(dup3) INT(pipe2) INT(fstat64) INT(fstatat64) \
	INT(fstatfs64) INT(stat64) INT(lstat64) INT(statx) INT(ftruncate64) INT(fallocate64) INT(fchmod) \
	INT(fchmodat) INT(fchown) INT(fchownat) INT(linkat) INT(mkdirat) INT(mknodat) INT(renameat) \
	INT(renameat2) INT(symlinkat) INT(socket) INT(socketpair) INT(connect) INT(bind) INT(listen) \
	INT(accept4) INT(getsockopt) INT(setsockopt) INT(epoll_create1) INT(epoll_ctl) INT(epoll_wait) \
	INT(eventfd) INT(signalfd) INT(timerfd_create) INT(timerfd_settime) INT(timerfd_gettime) \
	INT(inotify_init1) INT(inotify_add_watch) INT(memfd_create) INT(open_by_handle_at) INT(prctl) \
	INT(setsid) INT(setpgid) INT(shmget) INT(chdir) INT(fchdir) INT(fsopen) INT(fsmount) INT(fsconfig) \
	INT(utimensat) INT(close_range) INT(kill) INT(setns) INT(unshare) INT(open_tree) INT(move_mount) \
	INT(mount_setattr) INT(fspick) INT(sethostname) INT(setdomainname) INT(msgget) INT(msgsnd) INT(semget) \
	POINTER(opendir) POINTER(fdopendir) POINTER(fopen64) POINTER(fdopen)
/* clang-format on */
