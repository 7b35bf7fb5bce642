// SPDX-License-Identifier: GPL-2.0-only
/* The set is a treap: a tree ordered by (hash, kcmp), kept shallow by ranks that are as good as random. */
#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kernel/kcmp.h"
#include "util/hash.h"

#define KCMP_EPOLL_TFD_WHAT 7
#define DEPTH_MAX 256 /* 4 billion nodes have a depth of some 80 */

static int kcmp_result(long r)
{
	return r < 0 ? -errno : r == 3 ? -ENOTSUP : (int)r;
}

int sys_kcmp(pid_t pid1, pid_t pid2, enum kcmp_what what, unsigned long idx1, unsigned long idx2)
{
	return kcmp_result(syscall(SYS_kcmp, pid1, pid2, what, idx1, idx2));
}

int sys_kcmp_epoll_tfd(pid_t pid, int fd, int efd, int tfd, uint32_t toff)
{
	struct {
		uint32_t efd, tfd, toff;
	} slot = { efd, tfd, toff };

	return kcmp_result(syscall(SYS_kcmp, pid, getpid(), KCMP_EPOLL_TFD_WHAT, fd, &slot));
}

/* 0: the same; 1: the new one belongs to the left of @n; 2: to the right; -errno. */
static int compare(const struct kcmp_set *set, uint64_t hash, pid_t pid, int fd, const struct kcmp_node *n)
{
	if (hash != n->hash)
		return hash < n->hash ? 1 : 2;
	if (pid == n->pid && (set->what != KCMP_WHAT_FILE || fd == n->fd))
		return 0;
	bool file = set->what == KCMP_WHAT_FILE;
	return sys_kcmp(pid, n->pid, set->what, file ? fd : 0, file ? n->fd : 0);
}

static struct kcmp_node *node(struct kcmp_set *set, uint32_t at)
{
	return &set->nodes.v[at - 1];
}

static uint32_t *side_of(struct kcmp_set *set, uint32_t parent, int side)
{
	if (!parent)
		return &set->root;
	return side == 1 ? &node(set, parent)->left : &node(set, parent)->right;
}

/* Rotates the new leaf up as long as its rank is above its parent's, along the path in path[i] and side[i]. */
static void lift(struct kcmp_set *set, uint32_t leaf, const uint32_t *path, const int *side, int depth)
{
	for (int i = depth - 1; i >= 0 && node(set, path[i])->rank < node(set, leaf)->rank; i--) {
		struct kcmp_node *up = node(set, path[i]), *n = node(set, leaf);
		if (side[i] == 1) {
			up->left = n->right;
			n->right = path[i];
		} else {
			up->right = n->left;
			n->left = path[i];
		}
		*side_of(set, i ? path[i - 1] : 0, i ? side[i - 1] : 0) = leaf;
	}
}

int kcmp_set_id(struct kcmp_set *set, uint64_t hash, pid_t pid, int fd, struct kcmp_found *ret)
{
	uint32_t path[DEPTH_MAX];
	int side[DEPTH_MAX], depth = 0;

	for (uint32_t at = set->root; at; at = side[depth - 1] == 1 ? node(set, at)->left : node(set, at)->right) {
		const struct kcmp_node *n = node(set, at);
		int order = compare(set, hash, pid, fd, n);
		if (order < 0)
			return order;
		if (!order) {
			*ret = (struct kcmp_found){ .id = n->id, .pid = n->pid, .fd = n->fd };
			return 0;
		}
		if (depth == DEPTH_MAX)
			return -E2BIG;
		path[depth] = at;
		side[depth++] = order;
	}
	struct kcmp_node *n = array_push(&set->nodes);
	if (!n)
		return -ENOMEM;
	uint32_t leaf = set->nodes.n;
	*n = (struct kcmp_node){ .hash = hash, .pid = pid, .fd = fd, .id = leaf, .rank = hash_mix(leaf) >> 32 };
	*side_of(set, depth ? path[depth - 1] : 0, depth ? side[depth - 1] : 0) = leaf;
	lift(set, leaf, path, side, depth);
	*ret = (struct kcmp_found){ .id = leaf, .fresh = true, .pid = pid, .fd = fd };
	return 0;
}

void kcmp_set_free(struct kcmp_set *set)
{
	array_free(&set->nodes);
	set->root = 0;
}
