/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Capabilities of this thread, as bit sets: BIT(CAP_...). Uses libcap, except for what it does not support: code in
 * another process (pie/), and system calls injected there, use the structs of capset(2).
 */
#pragma once
#include <stdint.h>

struct caps {
	uint64_t effective, permitted, inheritable;
};

/* 0 or -errno, not logged. */
int caps_read(struct caps *ret);
int caps_set(const struct caps *caps);
/* The bounding set: one system call per capability. */
uint64_t caps_bounding(void);
/* Empties the ambient set. 0 or -errno, not logged. */
int caps_clear_ambient(void);
/* Bits of PR_GET_SECUREBITS. */
uint32_t caps_securebits(void);
/* The highest capability that this kernel has. */
unsigned int caps_last(void);

/* The name of the lowest capability of @caps: "CAP_SYS_ADMIN"; "CAP_77" if libcap is older than the kernel. */
#define CAPS_NAME_MAX 32
void caps_name(uint64_t caps, char ret_name[static CAPS_NAME_MAX]);
