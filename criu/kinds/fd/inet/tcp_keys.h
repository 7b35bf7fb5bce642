/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once
#include "kinds/fd/inet/data.h"

int tcp_keys_save(struct dump *dump, const struct fd_probe *probe, InetSkEntry *entry, const union inet_address *src,
		  const union inet_address *dst);
int tcp_keys_check(const InetSkEntry *entry);
int tcp_keys_restore(int fd, const InetSkEntry *entry);
