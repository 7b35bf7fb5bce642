/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once
struct parasite_arch_task {
	long opaque;
};
struct parasite_arch_thread {
	long opaque;
};
struct wire_arch_task {
	long opaque;
};
struct wire_arch_thread {
	long opaque;
};
