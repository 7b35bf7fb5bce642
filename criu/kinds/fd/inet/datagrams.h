/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once
#include "kinds/fd/inet/data.h"

/* In open, before anything else: the queued datagrams. */
int inet_datagrams_check(const InetSkEntry *entry);
void inet_datagrams_restore(int fd, const InetSkEntry *entry);
/* Memory that the queue occupies, in bytes; querying it does not change the socket. */
uint32_t inet_queued_memory(int fd);
