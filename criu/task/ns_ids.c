/* SPDX-License-Identifier: GPL-2.0-only */
#include "task/ns_ids.h"

static const struct {
	size_t id, has_id;
} fields[NS_TYPES] = {
#define FIELD(name)                                                                                      \
	{                                                                                                \
		offsetof(TaskKobjIdsEntry, name##_ns_id), offsetof(TaskKobjIdsEntry, has_##name##_ns_id) \
	}
	[NS_PID] = FIELD(pid),	 [NS_NET] = FIELD(net), [NS_IPC] = FIELD(ipc),	 [NS_UTS] = FIELD(uts),
	[NS_TIME] = FIELD(time), [NS_MNT] = FIELD(mnt), [NS_USER] = FIELD(user), [NS_CGROUP] = FIELD(cgroup),
#undef FIELD
};

uint32_t ns_ids_get(const TaskKobjIdsEntry *ids, enum ns_type type)
{
	const char *base = (const char *)ids;

	if (!*(const protobuf_c_boolean *)(base + fields[type].has_id))
		return 0;
	return *(const uint32_t *)(base + fields[type].id);
}

void ns_ids_set(TaskKobjIdsEntry *ids, enum ns_type type, uint32_t id)
{
	char *base = (char *)ids;

	*(protobuf_c_boolean *)(base + fields[type].has_id) = 1;
	*(uint32_t *)(base + fields[type].id) = id;
}
