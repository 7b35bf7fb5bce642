/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * All unix sockets of a network namespace: NETLINK_SOCK_DIAG, unix_diag. sock_diag(7). Functions return 0 or a negative
 * errno.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/array.h"
#include "util/hash.h"

struct unix_diag {
	uint32_t ino, type, state; /* SOCK_*, the kernel's TCP_* */
	bool has_peer; /* connected; peer is 0 if it is closed, or has not been accepted yet */
	uint32_t peer;
	bool has_vfs; /* bound to a path: the inode */
	uint32_t vfs_dev, vfs_ino; /* the kernel's own encoding of the device */
	uint32_t rqueue,
		wqueue; /* listening: queued connections, backlog; otherwise bytes to read, memory of unread data */
	uint8_t shutdown; /* 1: receiving, 2: sending */
	char *name; /* sun_path as passed to bind(2), with its NUL */
	size_t name_len;
	uint32_t *icons; /* listening: clients that have not been accepted; 0: closed again */
	size_t nr_icons;
};

ARRAY_OF(unix_diag_array, struct unix_diag);
struct unix_diags {
	struct unix_diag_array all;
	struct hash by_ino; /* -> index */
	struct hash waiting; /* inode of a client not yet accepted -> inode of the listening socket | position << 32 */
};

/* In the caller's network namespace. */
int unix_diag_read(struct unix_diags *ret);
/* For tests: parses messages as the kernel sends them; see netlink_parse(). */
int unix_diag_parse(const void *messages, size_t len, struct unix_diags *diags);
void unix_diag_free(struct unix_diags *diags);
/* NULL if not found. */
const struct unix_diag *unix_diag_find(const struct unix_diags *diags, uint32_t ino);
