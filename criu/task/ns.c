/* SPDX-License-Identifier: GPL-2.0-only */
#include "task/ns.h"
#include "kernel/proc_pid.h"
#include "util/arena.h"

static const enum proc_ns proc_of[NS_TYPES] = {
	[NS_PID] = PROC_NS_PID,	  [NS_NET] = PROC_NS_NET, [NS_IPC] = PROC_NS_IPC,   [NS_UTS] = PROC_NS_UTS,
	[NS_TIME] = PROC_NS_TIME, [NS_MNT] = PROC_NS_MNT, [NS_USER] = PROC_NS_USER, [NS_CGROUP] = PROC_NS_CGROUP,
};

const char *ns_type_name(enum ns_type type)
{
	return proc_ns_name(proc_of[type]);
}

unsigned ns_type_flag(enum ns_type type)
{
	return (unsigned)proc_ns_clone_flag(proc_of[type]);
}

enum ns_type ns_type_of_flag(unsigned flag)
{
	enum ns_type type = 0;

	while (type < NS_TYPES && ns_type_flag(type) != flag)
		type++;
	return type;
}

bool ns_is_within(const struct ns *inner, const struct ns *outer)
{
	while (inner && outer && inner->depth > outer->depth)
		inner = inner->outer;
	return !outer || inner == outer;
}

static struct ns *add(struct ns_set *set, struct arena *arena, struct ns ns)
{
	/* A restore opens namespaces after the plan is complete. */
	struct ns *new = arena_alloc_apart(arena, sizeof(*new));

	if (!new)
		return NULL;
	*new = ns;
	new->fd = new->root = -1;
	if (set->last)
		set->last->next = new;
	else
		set->first = new;
	set->last = new;
	return new;
}

struct ns *ns_set_get(struct ns_set *set, struct arena *arena, enum ns_type type, uint64_t ino, bool own)
{
	struct ns *ns;

	ns_for_each(ns, set, type)
		if (ns->ino == ino)
			return ns;
	if (!set->last_id)
		set->last_id = NS_TYPES;
	return add(set, arena,
		   (struct ns){ .type = type, .ino = ino, .own = own, .id = own ? ns_own_id(type) : ++set->last_id });
}

struct ns *ns_set_get_id(struct ns_set *set, struct arena *arena, enum ns_type type, uint32_t id, bool own)
{
	struct ns *ns;

	ns_for_each(ns, set, type)
		if (ns->id == id)
			return ns;
	return add(set, arena, (struct ns){ .type = type, .id = id, .own = own });
}
