/* SPDX-License-Identifier: GPL-2.0-only */
#include "task/ns.h"
#include <sched.h>
#include "util/arena.h"

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x80
#endif

static const struct {
	const char *name;
	unsigned flag;
} types[NS_TYPES] = {
	[NS_PID] = { "pid", CLONE_NEWPID },    [NS_NET] = { "net", CLONE_NEWNET },
	[NS_IPC] = { "ipc", CLONE_NEWIPC },    [NS_UTS] = { "uts", CLONE_NEWUTS },
	[NS_TIME] = { "time", CLONE_NEWTIME }, [NS_MNT] = { "mnt", CLONE_NEWNS },
	[NS_USER] = { "user", CLONE_NEWUSER }, [NS_CGROUP] = { "cgroup", CLONE_NEWCGROUP },
};

const char *ns_type_name(enum ns_type type)
{
	return types[type].name;
}

unsigned ns_type_flag(enum ns_type type)
{
	return types[type].flag;
}

enum ns_type ns_type_of_flag(unsigned flag)
{
	enum ns_type type = 0;

	while (type < NS_TYPES && types[type].flag != flag)
		type++;
	return type;
}

static struct ns *add(struct ns_set *set, struct arena *arena, struct ns ns)
{
	struct ns *new = arena_alloc(arena, sizeof(*new));

	if (!new)
		return NULL;
	*new = ns;
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
