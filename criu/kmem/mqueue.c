// SPDX-License-Identifier: GPL-2.0-only
/*
 * A queue is a tree of priorities, each with a list of messages. A message is in pieces of up to a page: the first one has
 * the struct msg_msg in front, the others only a pointer to the next.
 */
#include "kmem/mqueue.h"
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include "base/bits.h"
#include "base/cleanup.h"
#include "kmem/reader.h"

/* O: Before Linux 5.14 a queue was charged to a user of all user namespaces together. */
#define FIELDS(X, O)                                           \
	X(vfs_inode, "mqueue_inode_info", "vfs_inode", NULL)   \
	X(tree, "mqueue_inode_info", "msg_tree.rb_node", NULL) \
	X(node, "posix_msg_tree_node", "rb_node", NULL)        \
	X(messages, "posix_msg_tree_node", "msg_list", NULL)   \
	X(left, "rb_node", "rb_left", NULL)                    \
	X(right, "rb_node", "rb_right", NULL)                  \
	X(list, "msg_msg", "m_list", NULL)                     \
	X(priority, "msg_msg", "m_type", NULL)                 \
	X(len, "msg_msg", "m_ts", NULL)                        \
	X(more, "msg_msg", "next", NULL)                       \
	X(head_size, "msg_msg", NULL, NULL)                    \
	X(piece_next, "msg_msgseg", "next", NULL)              \
	X(piece_size, "msg_msgseg", NULL, NULL)                \
	O(notify, "mqueue_inode_info", "notify", NULL)         \
	O(counts, "mqueue_inode_info", "ucounts", NULL)        \
	O(counts_uid, "ucounts", "uid", NULL)                  \
	O(counts_ns, "ucounts", "ns", NULL)                    \
	O(ns_inode, "user_namespace", "ns.inum", NULL)

KERNEL_READER(mqueue_reader, FIELDS)

/* A red-black tree of 32768 priorities is not deeper. */
#define DEPTH_MAX 64

KERNEL_READER_FUNCTIONS(mqueue_reader, mqueue_reader_open, mqueue_reader_close, KERNEL_READER_ANY, KERNEL_READER_KEEPS)

int mqueue_charge_read(const struct mqueue_reader *reader, int fd, struct mqueue_charge *ret)
{
	const struct fields *at = &reader->at;
	uint64_t object = 0, uid = 0, ns = 0, inode = 0;
	const struct kernel_word words[] = { { at->counts_uid, 4, &uid }, { at->counts_ns, 8, &ns } };
	int err = kernel_memory_inode(&reader->mem, fd, &object);

	if (!err)
		err = kernel_memory_field(&reader->mem, object - (uint64_t)at->vfs_inode, at->counts, 8, &object);
	if (!err)
		err = object ? kernel_words_read(&reader->mem, object, words, ARRAY_SIZE(words)) : -EOPNOTSUPP;
	if (!err)
		err = kernel_memory_field(&reader->mem, ns, at->ns_inode, 4, &inode);
	if (!err)
		*ret = (struct mqueue_charge){ (uid_t)uid, inode };
	return err;
}

int mqueue_notify_read(const struct mqueue_reader *reader, int fd, struct mqueue_notify *ret)
{
	struct sigevent event;
	uint64_t object;
	int err = reader->at.notify < 0 ? -EOPNOTSUPP : kernel_memory_inode(&reader->mem, fd, &object);

	/* struct sigevent of the kernel is that of user space. */
	if (!err)
		err = kernel_memory_read(&reader->mem,
					 object - (uint64_t)reader->at.vfs_inode + (uint64_t)reader->at.notify, &event,
					 sizeof(event));
	if (err)
		return err;
	*ret = (struct mqueue_notify){ .how = event.sigev_notify, .signal = event.sigev_signo };
	memcpy(&ret->value, &event.sigev_value, sizeof(ret->value));
	return 0;
}

struct reading {
	const struct mqueue_reader *reader;
	const struct mqueue_taker *taker;
	char *data;
	size_t max, left; /* messages that have not been read yet */
};

static int field(const struct reading *r, uint64_t object, long at, uint64_t *ret)
{
	return kernel_memory_field(&r->reader->mem, object, at, 8, ret);
}

static int read_bytes(const struct reading *r, uint64_t message, size_t len)
{
	const struct fields *at = &r->reader->at;
	uint64_t from = message + (uint64_t)at->head_size, piece;
	size_t done = MIN_OF(len, PAGE_SZ - (size_t)at->head_size);
	int err = kernel_memory_read(&r->reader->mem, from, r->data, done);

	if (!err && done < len)
		err = field(r, message, at->more, &piece);
	while (!err && done < len) {
		size_t n = MIN_OF(len - done, PAGE_SZ - (size_t)at->piece_size);

		if (!piece)
			return -EAGAIN;
		err = kernel_memory_read(&r->reader->mem, piece + (uint64_t)at->piece_size, r->data + done, n);
		done += n;
		if (!err)
			err = field(r, piece, at->piece_next, &piece);
	}
	return err;
}

static int take_message(struct reading *r, uint64_t message)
{
	const struct fields *at = &r->reader->at;
	uint64_t priority = 0, len = 0;
	int err = field(r, message, at->priority, &priority);

	if (!err)
		err = field(r, message, at->len, &len);
	if (err)
		return err;
	if (!r->left || len > r->max)
		return -EAGAIN;
	r->left--;
	err = read_bytes(r, message, (size_t)len);
	return err ? err : r->taker->take(r->taker->arg, (uint32_t)priority, r->data, (size_t)len);
}

/* The messages of one priority, the oldest first. */
static int read_list(struct reading *r, uint64_t head)
{
	uint64_t at = 0;
	int err = field(r, head, 0, &at);

	while (!err && at != head) {
		err = take_message(r, at - (uint64_t)r->reader->at.list);
		if (!err)
			err = field(r, at, 0, &at);
	}
	return err;
}

/* The highest priority first: the right half, the node itself, the left half. */
static int read_tree(struct reading *r, uint64_t node)
{
	const struct fields *at = &r->reader->at;
	uint64_t above[DEPTH_MAX] = { 0 };
	size_t depth = 0;
	int err = 0;

	while (!err && (node || depth)) {
		if (node && depth == DEPTH_MAX)
			return -EAGAIN;
		if (node) {
			above[depth++] = node;
			err = field(r, node, at->right, &node);
			continue;
		}
		node = above[--depth];
		err = read_list(r, node - (uint64_t)at->node + (uint64_t)at->messages);
		if (!err)
			err = field(r, node, at->left, &node);
	}
	return err;
}

int mqueue_messages_read(const struct mqueue_reader *reader, int fd, size_t nr, size_t max,
			 const struct mqueue_taker *taker)
{
	_cleanup_free_ char *data = malloc(max + 1);
	struct reading r = { reader, taker, data, max, nr };
	uint64_t inode = 0, tree = 0;
	int err = data ? kernel_memory_inode(&reader->mem, fd, &inode) : -ENOMEM;

	if (!err)
		err = field(&r, inode - (uint64_t)reader->at.vfs_inode, reader->at.tree, &tree);
	if (!err)
		err = read_tree(&r, tree);
	return !err && r.left ? -EAGAIN : err;
}
