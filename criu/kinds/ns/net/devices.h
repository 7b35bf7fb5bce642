/* SPDX-License-Identifier: GPL-2.0-only */
/* Devices: what is common to saving and restoring them. */
#pragma once
#include <stddef.h>
#include <netlink/attr.h>
#include "internal.h"

#ifndef IFLA_INET6_CONF
#define IFLA_INET6_CONF 2
#endif
#define CONF_ARRAY_MAX 16 /* attributes beside the array */

/* Attributes of devices of any kind that can be read and set, and that the format has no field for: IFLA_* */
extern const unsigned short net_attributes[];
extern const size_t net_nr_attributes;

#define CONF6_ADDR_GEN_MODE 47

/* The settings of a device in a list with its attributes (RTM_NEWLINK). */
struct conf_array net_device_array(struct nlattr *const *tb, int family);
