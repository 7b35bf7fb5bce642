/* SPDX-License-Identifier: GPL-2.0-only */
/* Kinds of devices. A new one is a row of the table, and a test. */
#pragma once
#include <netlink/attr.h>
#include "internal.h"

struct device_kind {
	const char *name; /* IFLA_INFO_KIND; "": loopback */
	NdType type; /* EXTLINK: the format has none; then its entry has the name */
	bool exists; /* in each new namespace: it is not created */
	bool is_made_apart; /* not by a request of rtnetlink: tun.c */
	bool may_lead_out; /* connected to a device outside of the tree, which options of the restore name */
	bool needs_link; /* created on top of the device that peer_ifindex is */
	bool may_have_link; /* there may be a device below */
	unsigned char link_attr; /* ... which is only in this attribute of IFLA_INFO_DATA; 0: there is none */
	uint64_t read_only; /* bits: attributes of IFLA_INFO_DATA that cannot be set */
	uint64_t settings; /* those that are set; a device with others is refused */
	bool has_ports; /* its MTU depends on theirs */
	/* Adds an attribute, of @data, that the kernel does not take as it reports it. False: it is not one of them. */
	bool (*add_special)(struct route_batch *b, const struct nlattr *data, const struct nlattr *attr);
};

/* NULL: unknown. */
const struct device_kind *device_kind_by_name(const char *name);
const struct device_kind *device_kind_by_type(NdType type);
const struct device_kind *device_kind_of(const NetDeviceEntry *entry);
/* The number of an attribute of IFLA_INFO_DATA that is neither known nor 0; 0: there is none. */
int device_unknown_property(const struct device_kind *kind, const struct nlattr *linkinfo);
/* The index of the device below in link_attr; 0: none. */
uint32_t device_link_of(const NetDeviceEntry *entry);
/* The kernel creates it with each namespace, for everything that has no tunnel of its own. It cannot be deleted. */
bool device_is_fallback(const char *name);
/* Dump: fields of the format for that kind. */
int device_save_details(struct dump *dump, const struct nlattr *linkinfo, NetDeviceEntry *entry);
/* Restore: IFLA_LINKINFO for its creation, without what depends on its peer. */
void device_add_info(struct route_batch *b, const NetDeviceEntry *entry);
/* Whether it has properties as a port of a bridge or bond; those, for IFLA_LINKINFO. */
bool device_has_port(const NetDeviceEntry *entry);
void device_add_port(struct route_batch *b, const NetDeviceEntry *entry);
