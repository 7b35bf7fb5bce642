/* SPDX-License-Identifier: GPL-2.0-only */
/* Spanning trees of bridges, and the states of ports: stp.c */
#pragma once
#include <stdbool.h>
#include "internal.h"

/* A port that goes up later than the other devices: in net_stp_fill(). */
bool net_stp_postpones(const struct net_state *state, const NetDeviceEntry *entry);
/* The devices of all namespaces are up. Bridges have been created without a spanning tree. */
int net_stp_fill(const struct net_state *state);
/* After all other requests for a port: any may end the state "disabled". */
int net_port_states_fill(const struct net_state *state);
