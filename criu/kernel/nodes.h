/* SPDX-License-Identifier: GPL-2.0-only */
/* The NUMA nodes of this machine. */
#pragma once
#include <stddef.h>
#include <stdint.h>

#define NODES_MAX 1024

/* Those that we may allocate memory from, one bit each: Mems_allowed of proc_pid_status(5). Node 0 if not shown. */
void nodes_allowed(uint64_t ret[NODES_MAX / 64]);
/* The mask itself: groups of eight hexadecimal digits separated by commas, the last one with node 0. 0 or -EBADMSG. */
int nodes_parse(const char *text, size_t len, uint64_t ret[NODES_MAX / 64]);
