/* SPDX-License-Identifier: GPL-2.0-only */
/* Named values: the name, our number, and the number in RPC (images/rpc.proto). */
#pragma once
#include <stddef.h>

struct mode {
	const char *word;
	int ours;
	int rpc; /* NOT_IN_RPC: none */
};

#define NOT_IN_RPC (-1)

struct mode_list {
	const struct mode *v;
	size_t n;
};

extern const struct mode_list file_validation_modes, network_lock_modes, pre_dump_modes, image_io_modes, cgroup_modes,
	cpu_cap_modes;

/* NULL: not found. */
const struct mode *mode_by_word(const struct mode_list *modes, const char *word);
const struct mode *mode_by_rpc(const struct mode_list *modes, int rpc);
