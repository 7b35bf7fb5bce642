/* SPDX-License-Identifier: GPL-2.0-only */
/* Queueing disciplines, classes; filters and actions, which are blockers. */
#pragma once
#include "refuse.h"

/* Appends messages; @r: for those that cannot be saved. */
int net_qdiscs_list(struct nl_sock *route, struct refusing *r, struct buf *qdiscs, struct buf *classes);
/* Devices exist, and are down. */
int net_qdiscs_fill(const struct net_state *state);
/* refuse_filters.c: @qdiscs, @classes: from net_qdiscs_list() */
int net_refuse_filters(struct dump *dump, const struct ns *ns, struct nl_sock *route,
		       const struct net_messages lists[2]);
