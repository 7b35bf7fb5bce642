/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which tasks share what: kcmp(2). A set numbers distinct kernel objects; n objects cost n log n calls, few of them if
 * the caller's hash distinguishes most objects.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "util/array.h"

enum kcmp_what {
	KCMP_WHAT_FILE = 0,
	KCMP_WHAT_VM = 1,
	KCMP_WHAT_FILES = 2,
	KCMP_WHAT_FS = 3,
	KCMP_WHAT_SIGHAND = 4,
	KCMP_WHAT_IO = 5,
	KCMP_WHAT_SYSVSEM = 6,
};

/* 0: the same; 1, 2: less, greater in an order defined by the kernel; -errno (3, "no order", is -ENOTSUP). */
int sys_kcmp(pid_t pid1, pid_t pid2, enum kcmp_what what, unsigned long idx1, unsigned long idx2);
/*
 * Is descriptor @fd of @pid the file that our own epoll descriptor @efd watches as number @tfd? @toff distinguishes
 * several watches under one number, from 0. 0: yes; 1, 2: no; -ENOENT: no such watch.
 */
int sys_kcmp_epoll_tfd(pid_t pid, int fd, int efd, int tfd, uint32_t toff);

struct kcmp_node {
	uint64_t hash;
	pid_t pid;
	int fd;
	uint32_t id;
	uint32_t rank; /* in the heap */
	uint32_t left, right; /* indexes + 1 of the array; 0: none */
};
ARRAY_OF(kcmp_nodes, struct kcmp_node);

/* Empty if zeroed, except for @what. The tasks must exist and remain stopped while it is used. */
struct kcmp_set {
	enum kcmp_what what;
	struct kcmp_nodes nodes;
	uint32_t root;
};

struct kcmp_found {
	uint32_t id; /* from 1, in the order of discovery */
	bool fresh; /* new in the set */
	pid_t pid; /* the task and descriptor that it was first found with */
	int fd;
};

/*
 * The number of the object of (@pid, @fd); @fd is used for KCMP_WHAT_FILE only. @hash must be equal for the same object
 * (device, inode and flags of a file, say) and may differ for others. 0 or a negative errno.
 */
int kcmp_set_id(struct kcmp_set *set, uint64_t hash, pid_t pid, int fd, struct kcmp_found *ret);
void kcmp_set_free(struct kcmp_set *set);
