/* SPDX-License-Identifier: GPL-2.0-only */
/* Saves the options of sockets, while the tree is frozen. */
#pragma once
#include "kinds/fd/inet/data.h"

int inet_options_save(struct dump *dump, const struct fd_probe *probe, InetSkEntry *entry);
/* The new sockets to compare with. */
void inet_fresh_close(struct inet_dump *data);
