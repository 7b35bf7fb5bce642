/* SPDX-License-Identifier: GPL-2.0-only */
/* Shutdown state and pending error of a socket, at the dump. */
#pragma once
#include "kinds/fd/inet/data.h"
#include "kmem/sock_memory.h"

/* The state of the socket in kernel memory. */
int inet_memory_of(struct dump *dump, const struct fd_probe *probe, const InetSkEntry *entry, struct sock_memory *ret);
/* shutdown and error of a socket other than TCP. True: there is a pending error, or may be one. */
bool inet_state_save(struct dump *dump, const struct fd_probe *probe, InetSkEntry *entry);
