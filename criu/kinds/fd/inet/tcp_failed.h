/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once
#include "kinds/fd/inet/data.h"

/* In open: a socket whose connect(2) has failed. */
int tcp_restore_failed(const struct inet_socket *sk, int fd);
bool tcp_can_fail_with(const InetSkEntry *entry, int error);
