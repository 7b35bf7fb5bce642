/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once
#include "kinds/fd/inet/data.h"

/* Like tcp_save(). */
int mptcp_save(struct dump *dump, const struct fd_probe *probe, InetSkEntry *entry, const struct tcp_info *info);
