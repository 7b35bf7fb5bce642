/* SPDX-License-Identifier: GPL-2.0-only */
/* Connections that nobody has accepted yet. */
#pragma once
#include "kinds/fd/inet/internal.h"

/* In save: connections wait at it; looked into when all clients are known. */
int inet_backlog_note(struct dump *dump, const struct fd_probe *probe, InetSkEntry *entry, uint32_t waiting);
/* In save_end: sets what their clients need, and entry->waiting; before the network is locked. */
int inet_backlog_save(struct dump *dump, struct inet_dump *data);
void inet_backlog_close(struct inet_dump *data);
int inet_backlog_link(struct restore *r, struct file *file, struct inet_socket *sk);
/* In ready. */
int inet_backlog_revive(struct restore *r, const struct inet_socket *listener);
