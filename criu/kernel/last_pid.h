/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The number after which the kernel looks for one for the next process or thread of a pid namespace, that of the caller:
 * ns_last_pid, sysctl/kernel.rst. Writing needs CAP_CHECKPOINT_RESTORE (or CAP_SYS_ADMIN) in the user namespace that owns it, and a
 * kernel with CONFIG_CHECKPOINT_RESTORE.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

/* 0: it cannot be read. */
uint64_t last_pid_read(void);
int last_pid_write(uint64_t last);
/*
 * Is there such a file, and can it be opened for writing? That tells of a read-only /proc/sys, and of kernels without it; missing
 * rights are found when it is written. For our own pid namespace they are those of RIGHT_SET_PIDS; in those of the tree, whose
 * owner is our user namespace or below it, root has them.
 */
bool last_pid_can_be_set(void);
