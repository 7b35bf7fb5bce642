/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * /proc as a descriptor. It is opened once, when it is first needed, and remains the proc file system of the tool's own
 * pid namespace wherever the process goes: another root, mount namespace or pid namespace. "self" in it resolves to the
 * caller. No other code uses /proc by path.
 */
#pragma once
#include <stddef.h>
#include <sys/types.h>

/*
 * The directory (O_PATH), borrowed: for open_at() and the like, with a relative path ("self/fd/3"). If it cannot be
 * opened, this is an invalid descriptor, and such a call fails with -EBADF.
 */
int proc_root(void);
/* Moves it to @min or above: later children have it under the same number. 0 or a negative errno. */
int proc_root_move_above(int min);
/* To be called if this process has closed it together with others: it is opened again when needed. */
void proc_root_forget(void);

#define PROC_FD_NAME_MAX 40
/* "self/fd/N": relative to proc_root(). */
const char *proc_fd_name(char buf[static PROC_FD_NAME_MAX], int fd);
/*
 * "/proc/self/fd/N", for calls that take a path, but no directory: connect(2), getxattr(2), inotify_add_watch(2). They
 * need a /proc in the mount namespace and the root of the caller.
 */
const char *proc_fd_path(char buf[static PROC_FD_NAME_MAX], int fd);
/* Opens the file of @fd again: the same inode, even if it has no name (any more), or is a pipe. proc_pid_fd(5) */
int proc_fd_open(int fd, int flags);
/* Its path as shown by the kernel: the length or a negative errno. readlink(2) */
ssize_t proc_fd_read_link(int fd, char *ret, size_t size);
/* Links it as @name in @dir. linkat(2) with AT_EMPTY_PATH would need CAP_DAC_READ_SEARCH. 0 or a negative errno. */
int proc_fd_link(int fd, int dir, const char *name);
