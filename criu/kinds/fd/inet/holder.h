/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once
#include <stdbool.h>
#include <stdint.h>

/* The options of a socket by which several may have one port. */
struct inet_sharing {
	bool address, port; /* SO_REUSEADDR, SO_REUSEPORT */
};

/* Of any program's socket. -ENOENT: no process has it, or none that we may look into. */
int inet_sharing_of(uint32_t ino, struct inet_sharing *ret);
