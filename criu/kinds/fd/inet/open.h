/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once
#include "kinds/fd/inet/data.h"

int inet_open(struct restore *r, struct file *file, const void *state);
int inet_finish(struct restore *r, struct file *file, const void *state, int fd);
/* In ready: activates the connections. */
int inet_revive_all(struct restore *r, const struct inet_restore *data);
/* After the network is unlocked: retransmits what was sent into the lock. */
void inet_push_all(struct restore *r, const struct inet_restore *data);
