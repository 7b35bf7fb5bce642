/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Landlock domains: landlock(7). No system call and no file of /proc tells of them: read out of the kernel's memory, at
 * the place where a child of ours finds its own. 0 or a negative errno.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

/* Does this kernel have any? One system call. */
bool landlock_is_there(void);

struct kernel_memory;
/* Which word of the memory of cred->security is the domain (a child that confines itself sees it change). */
int landlock_find_word(const struct kernel_memory *mem, unsigned *ret);

struct landlock_reader;
/* -EPERM, -EOPNOTSUPP, -ENOENT: this kernel, or this user, cannot. */
int landlock_reader_open(struct landlock_reader **ret);
void landlock_reader_close(struct landlock_reader *reader);
/* @thread: a descriptor of its directory in /proc; it is stopped. Is it in another domain than we are? */
int landlock_differs(const struct landlock_reader *reader, int thread, bool *ret);
