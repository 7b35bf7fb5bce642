/* SPDX-License-Identifier: GPL-2.0-only */
/* --tcp-address OLD=NEW */
#pragma once

struct inet_restore;
struct restore;

/* In the tool, when all sockets have been loaded. -EADDRNOTAVAIL: a connection whose other end is not in the images. */
int inet_move_addresses(struct restore *r, const struct inet_restore *data);
