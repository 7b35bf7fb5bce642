/* SPDX-License-Identifier: GPL-2.0-only */
/* Multicast groups. */
#pragma once
#include "kinds/fd/inet/data.h"

int inet_groups_save(struct dump *dump, const struct fd_probe *probe, InetSkEntry *entry);
int inet_groups_check(const InetSkEntry *entry);
int inet_groups_restore(int fd, const InetSkEntry *entry);
