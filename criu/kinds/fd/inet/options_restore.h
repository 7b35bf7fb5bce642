/* SPDX-License-Identifier: GPL-2.0-only */
/* Options of sockets, put back. */
#pragma once
#include "kinds/fd/inet/data.h"

int inet_options_check(const InetSkEntry *entry);
/* What bind(2) and connect(2) go by; then the rest. */
int inet_options_before_bind(int fd, const InetSkEntry *entry);
int inet_options_restore(int fd, const InetSkEntry *entry);
/* bind(2); where the address was none of the host's at the dump either, it need not be now. As bind(2), -errno. */
int inet_bind_as_before(int fd, const InetSkEntry *entry, const union inet_address *src);
int inet_options_after_listen(int fd, const InetSkEntry *entry);
