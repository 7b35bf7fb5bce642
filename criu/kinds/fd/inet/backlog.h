/* SPDX-License-Identifier: GPL-2.0-only */
/* Connections that have not been accepted yet. */
#pragma once
#include "kinds/fd/inet/data.h"

/* In save: the queue is examined later, when all clients are known and no more can arrive. */
int inet_backlog_note(struct dump *dump, const struct fd_probe *probe, InetSkEntry *entry, uint32_t waiting,
		      bool left_out);
/* In save_end, with the network locked: sets what the clients need, and entry->waiting. */
int inet_backlog_save(struct dump *dump, struct inet_dump *data);
void inet_backlog_close(struct inet_dump *data);
int inet_backlog_link(struct restore *r, struct file *file, struct inet_socket *sk);
/* In ready. */
int inet_backlog_revive(struct restore *r, const struct inet_socket *listener);
