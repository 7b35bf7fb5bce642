/* SPDX-License-Identifier: GPL-2.0-only */
/* What a socket is shut down for, and the error that waits in it, at the dump. */
#pragma once
#include "kinds/fd/inet/data.h"
#include "kmem/sock_memory.h"

/* What the kernel's memory tells of it. */
int inet_memory_of(struct dump *dump, const struct fd_probe *probe, const InetSkEntry *entry, struct sock_memory *ret);
/* shutdown, error: of a socket that is not TCP's. True: an error waits, or may. */
bool inet_state_save(struct dump *dump, const struct fd_probe *probe, InetSkEntry *entry);
