/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Files that tasks in a user namespace of their own may not open: those of the tool (images), and those that the tree opened
 * when it had more rights, or got from outside. A process that has the tool's rights opens them on request, until all
 * tasks are ready. What it opens is limited to what the images name, and to what tasks have.
 */
#pragma once
#include <limits.h>
#include "run/restore.h"

enum outside_what {
	OUTSIDE_IMAGE,
	OUTSIDE_FILE,
	OUTSIDE_MAPPING,
	OUTSIDE_TMPFS,
	OUTSIDE_DESCRIPTOR,
	OUTSIDE_PROC,
	OUTSIDE_PROCESS,
	OUTSIDE_PID_NS
};

struct outside_request {
	enum outside_what what;
	int dir; /* image: descriptor of the directory */
	unsigned flags; /* file, pid namespace: of open(2); process: of pidfd_open(2) */
	pid_t pid; /* process, and whose pid namespace: in the images */
	uint64_t start, end; /* mapping: addresses in the tool */
	int number; /* descriptor: in the process with the pidfd that is sent */
	char name[PATH_MAX];
};

struct outside_asked {
	const struct outside_request *request;
	int pidfd; /* that came with it; -1: none */
	pid_t pid; /* who sent it */
};

/*
 * In the tool, before it creates namespaces or tasks. @answer: in the other process, returns a descriptor or a negative errno. 0 or a negative
 * errno, logged.
 */
int outside_begin(struct restore *r, int (*answer)(struct restore *, const struct outside_asked *));
void outside_end(struct restore *r);
/* In a task, or where the tool has entered the namespaces of the tree: a descriptor (O_CLOEXEC), or a negative errno, not logged; -EACCES if there is no such process. */
int outside_open_image(const struct restore *r, int dir, const char *name);
int outside_open_file(const struct restore *r, const char *path, unsigned flags);
/* A copy of a descriptor of another process, which it may not trace. */
int outside_getfd(const struct restore *r, int pidfd, int number);
/* In a task: writes to the file @name in its own /proc directory, which belongs to root outside while nobody may trace the task. */
int restore_write_own_proc(const struct restore *r, const char *name, const char *text);
/* An empty tmpfs that everybody may write to, mounted nowhere. */
int outside_new_tmpfs(const struct restore *r);
/* A pidfd of a process or thread of the tree that the task does not see, in its nested pid namespace. */
int outside_open_process(const struct restore *r, pid_t pid, unsigned flags);
/* The pid namespace of a process of the tree, which the task may not access. */
int outside_open_pid_ns(const struct restore *r, pid_t pid, unsigned flags);
/*
 * In the tool, or a process that shares its memory: the memory file that is mapped at @start, like /proc/self/map_files, which
 * needs a right in the initial user namespace.
 */
int restore_open_mapping(const struct restore *r, const void *start, uint64_t len);
