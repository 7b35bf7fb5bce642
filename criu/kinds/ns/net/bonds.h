/* SPDX-License-Identifier: GPL-2.0-only */
/* Devices of kind bond, and their ports. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "internal.h"

#define BOND_LAST_SETTING 33 /* IFLA_BOND_BROADCAST_NEIGH; newer than some headers */

/* For device_kind.add_special: true: @attr is not set at birth. */
bool bond_add_special(struct route_batch *b, const struct nlattr *data, const struct nlattr *attr);
bool bond_has_port(const NetDeviceEntry *entry);
/* Adds what may be set of its properties as a port. */
void bond_add_port(struct route_batch *b, const struct nlattr *attr);
/* The address that a port had before, and gets back when it leaves; NULL: it is no port of a bond. */
const struct nlattr *bond_address_of_port(const NetDeviceEntry *entry);
/* All ports are there: which one is preferred. */
void bond_set_primary(struct route_batch *b, const NetDeviceEntry *entry);
/* Which one is used now; the kernel may refuse it (a port without a carrier). */
void bond_set_active(struct route_batch *b, const NetDeviceEntry *entry);
