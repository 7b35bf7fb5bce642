/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Namespaces as values: type, identity, id in the images, members. Which types a run saves and restores, and their
 * content, is up to the kinds (struct run_kind); the kernel is not queried here.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct id_map;
struct task;

/* In the order of their ids in CRIU. */
enum ns_type { NS_PID, NS_NET, NS_IPC, NS_UTS, NS_TIME, NS_MNT, NS_USER, NS_CGROUP, NS_TYPES };

/* Ids in images are allocated for all types together. Those of the tool's own namespaces come first. */
static inline uint32_t ns_own_id(enum ns_type type)
{
	return type + 1;
}

struct ns {
	struct ns *next; /* in the set, in the order of discovery */
	enum ns_type type;
	uint64_t ino; /* on the host of the dump; 0: unknown (restore) */
	uint32_t id; /* in the images */
	bool own; /* the tool's own: neither saved nor created */
	bool external; /* dump: --external: it exists after the tree, and its content is not saved */
	bool joined; /* restore: --join-ns: @fd is an existing one that takes its place; its images are not read */
	struct task *member; /* the first task of the tree that is in it */
	/* The user namespace of the tree that owns it (of a user namespace: its parent); NULL: the tool's, or one outside. */
	struct ns *owner;
	const struct id_map *uids,
		*gids; /* dump, of a user namespace: its maps, to numbers of the tool's; NULL: unknown */
	int fd; /* restore: of the tool, inherited by all tasks until they run (restore/namespaces.c); -1: none */
	int root; /* of a mount namespace: its root directory (O_PATH), of the tool; -1: none */
	void *data; /* private to the kind that saves or restores it */
	/* Of a pid namespace: how deep it is nested in that of the root of the tree, and, if it is: */
	unsigned depth;
	struct ns *outer; /* the one around it; NULL: that of the root */
	struct task *init; /* its first process; NULL: not in the tree */
};

/* All namespaces of one tree, including the tool's own only if a task is in them. A zeroed set is empty. */
struct ns_set {
	struct ns *first, *last;
	uint32_t last_id;
};

/* Nested pid namespaces; NULL: that of the root. Is @inner the same as @outer, or somewhere in it? */
bool ns_is_within(const struct ns *inner, const struct ns *outer);
/* "pid", "net", ...: the name in /proc/PID/ns */
const char *ns_type_name(enum ns_type type);
/* CLONE_NEW* */
unsigned ns_type_flag(enum ns_type type);
/* The type with this flag; NS_TYPES: none. */
enum ns_type ns_type_of_flag(unsigned flag);

/* Dump: the namespace with this inode, added with the next free id if it is new; NULL: out of memory. */
struct ns *ns_set_get(struct ns_set *set, struct arena *arena, enum ns_type type, uint64_t ino, bool own);
/* Restore: the namespace with this id, added if it is new; NULL: out of memory. */
struct ns *ns_set_get_id(struct ns_set *set, struct arena *arena, enum ns_type type, uint32_t id, bool own);

#define ns_for_each(ns, set, of_type)                      \
	for ((ns) = (set)->first; (ns); (ns) = (ns)->next) \
		if ((ns)->type == (of_type))
