/* SPDX-License-Identifier: GPL-2.0-only */
/* Every unix socket of a network namespace: NETLINK_SOCK_DIAG, unix_diag. sock_diag(7). 0 or a negative errno. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/array.h"
#include "util/hash.h"

struct unix_diag {
	uint32_t ino, type, state; /* SOCK_*, the kernel's TCP_* */
	bool has_peer; /* connected to something; peer is 0 when that is closed, or waits to be accepted */
	uint32_t peer;
	bool has_vfs; /* bound to a path: the inode */
	uint32_t vfs_dev, vfs_ino; /* the kernel's own encoding of the device */
	uint32_t rqueue,
		wqueue; /* listening: connections that wait, backlog; else bytes to read, memory not yet read */
	uint8_t shutdown; /* 1: receiving, 2: sending */
	char *name; /* sun_path as it was given to bind(2), with its 0 */
	size_t name_len;
	uint32_t *icons; /* of a listening one: who waits to be accepted, 0: has closed again */
	size_t nr_icons;
};

ARRAY_OF(unix_diag_array, struct unix_diag);
struct unix_diags {
	struct unix_diag_array all;
	struct hash by_ino; /* -> index */
	struct hash
		waiting; /* inode of a client not yet accepted -> inode of the listening socket, place from 1 << 32 */
};

/* Of the network namespace that the caller is in. */
int unix_diag_read(struct unix_diags *ret);
/* For tests: messages as the kernel sends them; as netlink_parse(). */
int unix_diag_parse(const void *messages, size_t len, struct unix_diags *diags);
void unix_diag_free(struct unix_diags *diags);
/* NULL if there is none. */
const struct unix_diag *unix_diag_find(const struct unix_diags *diags, uint32_t ino);
