/* SPDX-License-Identifier: GPL-2.0-only */
/* Attributes of devices (IFLA_*) as images keep them: those that can be read and set, and that the format has no field for. */
#pragma once
#include <netlink/attr.h>
#include "internal.h"

#ifndef IFLA_INET6_CONF
#define IFLA_INET6_CONF 2
#endif
/* Indices of settings in its array. */
#define CONF6_FORWARDING 0
#define CONF6_ACCEPT_RA 3
#define CONF6_RTR_SOLICITS 7
#define CONF6_ADDR_GEN_MODE 47

bool net_attribute_is_kept(int type);
/* -EBADMSG: not a list of such attributes. */
int net_attributes_check(const void *attributes, size_t len);
/* NULL: there is none, as in images of CRIU. */
const struct nlattr *net_find_attribute(const NetDeviceEntry *entry, int type);
/* An attribute of one byte; shorter ones count as 0. */
bool net_flag_is_set(const struct nlattr *attr);
/* The settings in IFLA_AF_SPEC, which may be NULL. */
struct conf_array net_array_in(const struct nlattr *spec, int family);
/* Those of a saved device; empty in images of CRIU. */
struct conf_array net_saved_array(const NetDeviceEntry *entry, int family);
