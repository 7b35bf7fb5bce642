/* SPDX-License-Identifier: GPL-2.0-only */
/* Options of IP, IPv6, TCP, UDP and raw sockets. */
#pragma once
#include "kinds/fd/inet/data.h"

int inet_options_save(struct dump *dump, const struct fd_probe *probe, InetSkEntry *entry);
/* The new sockets that options were compared with, and that for sock_diag. */
void inet_fresh_close(struct inet_dump *data);
int inet_options_check(const InetSkEntry *entry);
/* What bind(2) and connect(2) go by; then the rest. */
int inet_options_before_bind(int fd, const InetSkEntry *entry);
int inet_options_restore(int fd, const InetSkEntry *entry);
/* bind(2); where the address was none of the host's at the dump either, it need not be now. As bind(2), -errno. */
int inet_bind_as_before(int fd, const InetSkEntry *entry, const union inet_address *src);
int inet_options_after_listen(int fd, const InetSkEntry *entry);
