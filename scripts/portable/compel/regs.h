/* SPDX-License-Identifier: LGPL-2.1-only */
#pragma once
#include <stdint.h>
struct compel_regs {
	long opaque[32];
};

static inline uint64_t compel_stack_pointer(const struct compel_regs *regs)
{
	return (uint64_t)regs->opaque[0];
}
