/* SPDX-License-Identifier: GPL-2.0-only */
/* Is there memory for a copy that a dump makes while the tree is frozen? */
#pragma once
#include <stdint.h>

/*
 * -ENOMEM, logged: not for @bytes, neither in this machine nor in the tool's memory cgroup, which may be the tree's: the
 * kernel might kill a process of the tree. What cannot be read has no limit.
 */
int copy_room_check(uint64_t bytes);
