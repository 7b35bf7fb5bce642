/* SPDX-License-Identifier: GPL-2.0-only */
/* Options that cannot be restored. */
#pragma once
#include "kinds/fd/inet/data.h"

/* A blocker, or a warning where a network might lose it as well. */
void inet_options_refuse(struct dump *dump, const struct fd_probe *probe, const InetSkEntry *entry);
