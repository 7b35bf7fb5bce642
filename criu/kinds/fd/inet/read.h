/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once
#include "kinds/fd/inet/data.h"

/* In save_end. */
int inet_read_held(struct dump *dump, struct inet_dump *data);
int inet_write_deferred(struct dump *dump, const struct inet_dump *data);
