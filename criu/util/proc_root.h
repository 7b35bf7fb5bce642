/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * /proc as a descriptor. It is opened once, when it is first needed, and stays the proc file system of the tool's own pid
 * namespace wherever the process goes: into another root, mount namespace or pid namespace. "self" below it is whoever
 * asks. Nothing else names /proc by a path.
 */
#pragma once
#include <stddef.h>
#include <sys/types.h>

/*
 * The directory (O_PATH), borrowed: for open_at() and the like, with a path from there on ("self/fd/3"). Where it cannot
 * be opened this is no descriptor, and such a call fails with -EBADF.
 */
int proc_root(void);
/* To @min or above: processes to be have it at the same number. 0 or a negative errno. */
int proc_root_move_above(int min);
/* This process has closed it together with others: it is opened again when it is needed. */
void proc_root_forget(void);

#define PROC_FD_NAME_MAX 40
/* "self/fd/N": from proc_root() on. */
const char *proc_fd_name(char buf[static PROC_FD_NAME_MAX], int fd);
/*
 * "/proc/self/fd/N", for the calls that take a path, but no directory: connect(2), getxattr(2), inotify_add_watch(2). They
 * need a /proc in the mount namespace and the root of the caller.
 */
const char *proc_fd_path(char buf[static PROC_FD_NAME_MAX], int fd);
/* What @fd is open on, opened anew: the same inode, also when it has no name (any more), or is a pipe. proc_pid_fd(5) */
int proc_fd_open(int fd, int flags);
/* Its path as the kernel writes it: the length or a negative errno. readlink(2) */
ssize_t proc_fd_read_link(int fd, char *ret, size_t size);
/* Give it a name in @dir. linkat(2) by descriptor alone would need CAP_DAC_READ_SEARCH. 0 or a negative errno. */
int proc_fd_link(int fd, int dir, const char *name);
