// SPDX-License-Identifier: GPL-2.0-only
#include "request/modes.h"
#include "base/bits.h"
#include "rpc.pb-c.h"
#include "run/options.h"
#include "util/str.h"

#define MODES(name, ...)                                   \
	static const struct mode name##_v[] = __VA_ARGS__; \
	const struct mode_list name##_modes = { name##_v, ARRAY_SIZE(name##_v) }

/* clang-format off */
MODES(file_validation, {
	{ "buildid", VALIDATE_BUILDID, NOT_IN_RPC },
	{ "filesize", VALIDATE_FILESIZE, NOT_IN_RPC },
});

MODES(network_lock, {
	{ "iptables", NETWORK_LOCK_IPTABLES, CRIU_NETWORK_LOCK_METHOD__IPTABLES },
	{ "nftables", NETWORK_LOCK_NFTABLES, CRIU_NETWORK_LOCK_METHOD__NFTABLES },
	{ "skip", NETWORK_LOCK_SKIP, CRIU_NETWORK_LOCK_METHOD__SKIP },
});

MODES(pre_dump, {
	{ "splice", PRE_DUMP_SPLICE, CRIU_PRE_DUMP_MODE__SPLICE },
	{ "read", PRE_DUMP_READ, CRIU_PRE_DUMP_MODE__VM_READ },
});

MODES(image_io, {
	{ "writeback", IMAGE_IO_WRITEBACK, NOT_IN_RPC },
	{ "direct", IMAGE_IO_DIRECT, NOT_IN_RPC },
});

MODES(cgroup, {
	{ "ignore", CGROUP_MODE_IGNORE, CRIU_CG_MODE__IGNORE },
	{ "cg-none", CGROUP_MODE_NONE, CRIU_CG_MODE__CG_NONE },
	{ "none", CGROUP_MODE_NONE, NOT_IN_RPC },
	{ "props", CGROUP_MODE_PROPS, CRIU_CG_MODE__PROPS },
	{ "soft", CGROUP_MODE_SOFT, CRIU_CG_MODE__SOFT },
	{ "full", CGROUP_MODE_FULL, CRIU_CG_MODE__FULL },
	{ "strict", CGROUP_MODE_STRICT, CRIU_CG_MODE__STRICT },
	{ "default", CGROUP_MODE_DEFAULT, CRIU_CG_MODE__DEFAULT },
});

/* Bits, which can be combined. RPC has no names for them. */
MODES(cpu_cap, {
	{ "none", CPU_CAP_NONE, 0 },
	{ "fpu", CPU_CAP_FPU, 1 },
	{ "cpu", CPU_CAP_CPU, 2 },
	{ "ins", CPU_CAP_INS, 4 },
	{ "image", CPU_CAP_IMAGE, 8 },
	{ "chosen", CPU_CAP_CHOSEN, NOT_IN_RPC },
	{ "all", CPU_CAP_ALL, NOT_IN_RPC },
});
/* clang-format on */

const struct mode *mode_by_word(const struct mode_list *modes, const char *word)
{
	for (size_t i = 0; i < modes->n; i++)
		if (str_eq(modes->v[i].word, word))
			return &modes->v[i];
	return NULL;
}

const struct mode *mode_by_rpc(const struct mode_list *modes, int rpc)
{
	for (size_t i = 0; i < modes->n; i++)
		if (modes->v[i].rpc == rpc && rpc != NOT_IN_RPC)
			return &modes->v[i];
	return NULL;
}
