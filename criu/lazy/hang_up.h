/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The end of a connection at the side of a tree that continues when it ends: not before the other side has killed its copy, which it
 * does before it closes the connection (holder.c).
 */
#pragma once
#include <stdbool.h>

struct connection;

/*
 * Tells the other side that this is the end, and waits for its end, up to a minute; so long, too, if @err says that the link is lost:
 * the other side notices that within this time (PROGRESS_TIMEOUT_MS). True: a CLOSE came instead, it has everything.
 */
bool lazy_hang_up(struct connection *c, int err);
