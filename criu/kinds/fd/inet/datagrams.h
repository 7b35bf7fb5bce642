/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once
#include "kinds/fd/inet/data.h"

/* In open before anything else: what waits in it. */
int inet_datagrams_check(const InetSkEntry *entry);
void inet_datagrams_restore(int fd, const InetSkEntry *entry);
/* Bytes of memory that what waits takes; asking does not touch it. */
uint32_t inet_memory_waiting(int fd);
