/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * User namespaces in a restore: entering them, and running functions in namespaces that they own. Every process that
 * enters one becomes the user and group 0 of it (or the first that are mapped), with all of its capabilities.
 * user_namespaces(7)
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include "run/restore.h"
#include "userns.pb-c.h"

/* ns->data of the namespaces of the tree other than the tool's. Set by load (kinds/ns/user.c). */
struct user_ns {
	const UsernsEntry *record;
	bool foreign; /* its owner is another user than the tool: all of them have its capabilities, and may trace what is in it */
	uint32_t uid, gid; /* of processes that enter it; (uint32_t)-1: no id is mapped */
	/* The groups that they have: the numbers outside, and inside. Where setgroups(2) is denied, they keep them. */
	gid_t *outer_groups;
	const uint32_t *groups;
	size_t nr_groups;
};

/* The user namespace of the tree's root; NULL: it is the tool's own. */
const struct ns *restore_user_ns(const struct restore *r);
const struct user_ns *user_ns_of(const struct ns *ns);
/* How deep the kernel lets them be nested. */
#define USER_NS_DEPTH 33
/* Does the task have other capabilities in the end than the tool, as it lives in a user namespace of the tree? */
bool restore_in_user_ns(const struct restore_task *rt);
/* ... in another one than the root? Then it has the rights of the root until it is complete. */
bool restore_is_nested_in_user_ns(const struct restore *r, const struct restore_task *rt);
/*
 * Do tasks enter it only when they have forked all others, as it may not set pids (restore/namespaces.c)? Until then they have
 * the rights of the tool, and other ids, and must not open anything.
 */
bool restore_enters_late(const struct restore *r);
/* In how many pid namespaces, from its own outwards, it may choose the numbers of its threads: usually in all that it is in. */
unsigned restore_settable_levels(const struct restore *r, const struct restore_task *rt);
/*
 * By link: @thread must exist when files are opened. Not in another user namespace than that of the root, which its process enters
 * after that, and only with one thread. 0 or a negative errno, logged.
 */
int restore_need_early(const struct restore *r, struct restore_thread *thread);
/* Is the id @inner mapped? *ret_outer (optional): to which number outside. */
bool user_ns_has(UidGidExtent *const *map, size_t n, uint32_t inner, uint32_t *ret_outer);
/*
 * The number that the user (or @group) @id of the tree has in the user namespace of the task, which is nested in that of the root;
 * -1: none.
 */
uint32_t restore_id_inside(const struct restore *r, const struct restore_task *rt, bool group, uint32_t id);
/* The number of the user @uid of the tree in this process: in the tool, that outside of the tree's user namespace. */
uint32_t restore_uid_here(const struct restore *r, uint32_t uid);
/* May its processes set their groups? */
bool user_ns_sets_groups(const struct user_ns *user);
/*
 * This process, which has one thread, enters it for good; its capabilities outside are lost. It is killed when its parent exits.
 * With an owner other than the tool nobody in it may trace it, not even itself (run/outside.h); its /proc files belong to
 * root of the initial user namespace. 0 or a negative errno, logged.
 */
int user_ns_enter(const struct ns *ns);
/*
 * The same for a task in a nested one, with nothing left to do but what the restorer does: with the final ids and groups, also if
 * they are not mapped there, and all capabilities.
 */
int user_ns_enter_nested(const struct ns *ns, const CredsEntry *creds);
/*
 * Like ns_run_in_new() (kernel/ns_run.h), in namespaces of the tree, entered in this order: calls @fn. A namespace can only be
 * entered before the user namespaces below the one that owns it. Returns what @fn does, or a negative errno, logged.
 */
int restore_run_in(const struct ns *const *in, size_t nr, unsigned fresh, int (*fn)(void *arg), void *arg);
/* The same in @ns alone, as root of the user namespace that owns it. */
int restore_run_in_ns(const struct ns *ns, int (*fn)(void *arg), void *arg);
