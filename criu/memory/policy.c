/* SPDX-License-Identifier: GPL-2.0-only */
/* Memory policies: which NUMA nodes the pages of a thread or a mapping come from. set_mempolicy(2), mbind(2) */
#include <errno.h>
#include <string.h>
#include "kernel/nodes.h"
#include "memory/memory.h"
#include "util/log.h"

enum {
	MODE_MAX = 6, /* MPOL_WEIGHTED_INTERLEAVE */
	RELATIVE_NODES = 1 << 14, /* MPOL_F_RELATIVE_NODES: the first, second... of the allowed nodes */
	FLAGS_KNOWN = 7 << 13, /* and MPOL_F_NUMA_BALANCING, MPOL_F_STATIC_NODES */
	NODE_BYTES = PARASITE_MAX_NODES / 8,
};
_Static_assert(PARASITE_MAX_NODES == NODES_MAX, "one mask for all");

/* ---- dump ---- */

static size_t used_bytes(const struct parasite_vma_policy *p)
{
	size_t n = sizeof(p->nodes);

	while (n && !((const uint8_t *)p->nodes)[n - 1])
		n--;
	return n;
}

int memory_save_policy(struct dump *dump, const struct parasite_vma_policy *p, struct policy_fields *ret_fields)
{
	size_t len = used_bytes(p);
	uint8_t *nodes = NULL;

	*ret_fields = (struct policy_fields){ 0 };
	/* Negative: a kernel without NUMA. */
	if (p->mode <= 0)
		return 0;
	if (len) {
		nodes = dump_alloc(dump, len);
		if (!nodes)
			return fail(-ENOMEM, "memory policy");
		memcpy(nodes, p->nodes, len);
	}
	*ret_fields = (struct policy_fields){ true, (uint32_t)p->mode, { .len = len, .data = nodes } };
	return 0;
}

/* ---- restore ---- */

bool memory_good_policy(uint32_t mode, const ProtobufCBinaryData *nodes)
{
	return (mode & ~(uint32_t)FLAGS_KNOWN) <= MODE_MAX && nodes->len <= NODE_BYTES;
}

/* The kernel uses those of the nodes that exist, and refuses a policy without any. */
static bool any_here(const struct wire_policy *p, bool *ret_all)
{
	uint64_t here[NODES_MAX / 64], wanted = 0, found = 0, missing = 0;

	nodes_allowed(here);
	for (size_t i = 0; i < NODES_MAX / 64; i++) {
		wanted |= p->nodes[i];
		found |= p->nodes[i] & here[i];
		missing |= p->nodes[i] & ~here[i];
	}
	*ret_all = !missing || (p->mode & RELATIVE_NODES);
	return !wanted || found || (p->mode & RELATIVE_NODES);
}

int memory_lay_policy(struct wire_task *wire, const char *whose, uint32_t mode, const ProtobufCBinaryData *nodes,
		      uint64_t *ret)
{
	struct wire_policy *p = wire_alloc(wire, sizeof(*p));
	bool all;

	*ret = 0;
	if (!p)
		return fail(-ENOMEM, "memory policy");
	*p = (struct wire_policy){ .mode = mode };
	if (nodes->len)
		memcpy(p->nodes, nodes->data, nodes->len);
	if (any_here(p, &all))
		*ret = (uintptr_t)p;
	if (!all)
		log_warn(
			"the memory policy of %s contains NUMA nodes that this machine does not have (or that are not permitted): it %s",
			whose, *ret ? "gets the others" : "gets the default policy");
	return 0;
}
