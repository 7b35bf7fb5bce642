/* SPDX-License-Identifier: GPL-2.0-only */
/* Restores the options of sockets. */
#pragma once
#include "kinds/fd/inet/data.h"

int inet_options_check(const InetSkEntry *entry);
/* Options that bind(2) and connect(2) depend on; then the others. */
int inet_options_before_bind(int fd, const InetSkEntry *entry);
int inet_options_restore(int fd, const InetSkEntry *entry);
/*
 * bind(2); an address that the host did not have at the dump need not exist now either. Returns -errno as bind(2) sets
 * it.
 */
int inet_bind_as_before(int fd, const InetSkEntry *entry, const union inet_address *src);
int inet_options_after_listen(int fd, const InetSkEntry *entry);
