/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once
#include <stdint.h>

#define XCR0_LEGACY 3ul /* x87 and SSE, which every CPU has */

/* XCR0: the components of a thread's extended state that this CPU and kernel support. */
uint64_t cpu_xcr0(void);
