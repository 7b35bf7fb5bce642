/* SPDX-License-Identifier: LGPL-2.1-only */
#pragma once
struct compel_regs {
	long opaque[32];
};
