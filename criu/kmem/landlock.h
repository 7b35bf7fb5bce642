/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Landlock domains: landlock(7). No system call and no file in /proc returns them: they are read from kernel memory, at
 * the position where a child of ours finds its own. 0 or a negative errno.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

/* Does this kernel support Landlock? One system call. */
bool landlock_is_there(void);

struct kernel_memory;
/* Which word at cred->security is the domain? (In a child that restricts itself it changes.) */
int landlock_find_word(const struct kernel_memory *mem, unsigned *ret);

struct landlock_reader;
/* -EPERM, -EOPNOTSUPP, -ENOENT: not available on this kernel, or not permitted. */
int landlock_reader_open(struct landlock_reader **ret);
void landlock_reader_close(struct landlock_reader *reader);
/* Is the stopped thread in another domain than we are? @thread: a descriptor of its directory in /proc. */
int landlock_differs(const struct landlock_reader *reader, int thread, bool *ret);
