/* SPDX-License-Identifier: GPL-2.0-only */
/* /proc/meminfo: proc_meminfo(5). */
#pragma once
#include <stdint.h>

/* @name: "\nSwapFree:", as in @text, the file's content. In kB; 0 if there is no such line. */
uint64_t meminfo_kb(const char *text, const char *name);
