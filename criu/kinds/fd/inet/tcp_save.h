/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once
#include "kinds/fd/inet/data.h"

/* A socket other than a plain one; the rest follows in save_end. */
int tcp_save(struct dump *dump, const struct fd_probe *probe, InetSkEntry *entry, const struct tcp_info *info);
/* A listening socket, for unaccepted connections and the lock. */
int tcp_save_listening(struct dump *dump, const struct fd_probe *probe, InetSkEntry *entry,
		       const struct tcp_info *info);
int tcp_save_as_closed(struct dump *dump, InetSkEntry *entry);
/*
 * Ours are the last copies: a socket closed in repair mode sends nothing to its peer. tcp(7), net/ipv4/tcp.c tcp_close
 */
void tcp_close_silently(struct inet_dump *data);
