// SPDX-License-Identifier: GPL-2.0-only
#include "request/modes.h"
#include "base/bits.h"
#include "run/options.h"
#include "util/str.h"

#define MODES(name, ...)                                   \
	static const struct mode name##_v[] = __VA_ARGS__; \
	const struct mode_list name##_modes = { name##_v, ARRAY_SIZE(name##_v) }

/* clang-format off */
MODES(file_validation, {
	{ "buildid", VALIDATE_BUILDID },
	{ "filesize", VALIDATE_FILESIZE },
});

MODES(network_lock, {
	{ "iptables", NETWORK_LOCK_IPTABLES },
	{ "nftables", NETWORK_LOCK_NFTABLES },
	{ "skip", NETWORK_LOCK_SKIP },
});

MODES(pre_dump, {
	{ "splice", PRE_DUMP_SPLICE },
	{ "read", PRE_DUMP_READ },
});

MODES(cgroup, {
	{ "ignore", CGROUP_MODE_IGNORE },
	{ "cg-none", CGROUP_MODE_NONE },
	{ "none", CGROUP_MODE_NONE },
	{ "props", CGROUP_MODE_PROPS },
	{ "soft", CGROUP_MODE_SOFT },
	{ "full", CGROUP_MODE_FULL },
	{ "strict", CGROUP_MODE_STRICT },
	{ "default", CGROUP_MODE_DEFAULT },
});

/* Bits; words can be combined. */
MODES(cpu_cap, {
	{ "none", CPU_CAP_NONE },
	{ "fpu", CPU_CAP_FPU },
	{ "cpu", CPU_CAP_CPU },
	{ "ins", CPU_CAP_INS },
	{ "image", CPU_CAP_IMAGE },
	{ "all", CPU_CAP_ALL },
});
/* clang-format on */

const struct mode *mode_by_word(const struct mode_list *modes, const char *word)
{
	for (size_t i = 0; i < modes->n; i++)
		if (str_eq(modes->v[i].word, word))
			return &modes->v[i];
	return NULL;
}
