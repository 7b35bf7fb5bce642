/* SPDX-License-Identifier: GPL-2.0-only */
/* Shared by the tests and their blob. */
#pragma once
#include <stdint.h>

enum {
	PROBE_IDS = 1, /* pid and tid */
	PROBE_CALLS, /* @count system calls, and some work on the stack */
	PROBE_FAULT, /* write to address 0 */
	PROBE_STATICS, /* a counter in data, one in bss */
};

struct probe_args {
	int32_t pid, tid;
	uint32_t count;
	uint32_t sum;
};
