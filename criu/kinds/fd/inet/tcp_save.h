/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once
#include "kinds/fd/inet/data.h"

/* A socket that is no plain one; the rest in save_end. */
int tcp_save(struct dump *dump, const struct fd_probe *probe, InetSkEntry *entry, const struct tcp_info *info);
/* A socket that listens, for connections that wait, and the lock. */
int tcp_save_listening(struct dump *dump, const struct fd_probe *probe, InetSkEntry *entry,
		       const struct tcp_info *info);
int tcp_forget_connection(struct dump *dump, InetSkEntry *entry);
/* Ours are the last copies: what is closed in repair mode says nothing to its peer. tcp(7), net/ipv4/tcp.c tcp_close */
void tcp_close_silently(struct inet_dump *data);
