/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Network namespaces: one file for each type of object. At a dump all functions run inside the namespace. A restore
 * first creates all namespaces; objects are created when all of them exist, as devices connect them.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "netdev.pb-c.h"
#include "netlink/route.h"
#include "run/dump.h"
#include "run/restore.h"

/* ---- settings in ipv4/conf and ipv6/conf: conf.c ---- */

/* a text that is in no array; seconds, in the array milliseconds; a number without a sign */
enum { CONF_TEXT = 1, CONF_MS = 2, CONF_U32 = 3 };
struct conf_name {
	const char *name;
	unsigned char index, how; /* in the array of RTM_GETLINK */
};
enum { CONF_IPV4, CONF_IPV6, CONF_FAMILIES };
struct conf_family {
	const char *dir; /* below /proc/sys/net */
	const struct conf_name *names; /* in images, in this order */
	size_t nr;
	const struct conf_name *more; /* also in the array */
	size_t nr_more;
};
extern const struct conf_family conf_families[CONF_FAMILIES]; /* conf_names.c */

/* The array of a device (IFLA_AF_SPEC). */
struct conf_array {
	const int32_t *v;
	size_t n;
};
/* In the order of conf_families[].names. */
struct conf_list {
	SysctlEntry **v;
	size_t n;
};

/* Is the sysctl with this path below /proc/sys/net saved by the functions here? */
bool conf_has(const char *path, bool *ret_in_array);
/* Those of `all` or `default`, from files. */
int conf_save_files(struct dump *dump, int family, const char *which, struct conf_list *ret);
int conf_save_device(struct dump *dump, int family, const char *device, const struct conf_array *array,
		     struct conf_list *ret);
int conf_check(const char *image, uint32_t id, int family, const struct conf_list *list);
int conf_fill_files(struct restore *r, int family, const char *which, const struct conf_list *list);
/* @now: of the new device; files are written for what differs. */
int conf_fill_device(struct restore *r, int family, const char *device, const struct conf_list *list,
		     const struct conf_array *now);

/* The same for those that the format has no field for. */
int conf_fill_more(struct restore *r, int family, const char *device, const struct conf_array *saved,
		   const struct conf_array *now);

/* ---- other sysctls: sysctl.c, sysctl_file.c ---- */

/* Reads a file below /proc/sys/net: without the newline. -ENOENT, -EACCES, ... not logged. */
int net_sysctl_read(const char *path, struct buf *ret);
/* The same for many in one directory, of which the kernel then does not look up the whole path for each: a descriptor, or a negative errno. */
int net_sysctl_dir(const char *path);
int net_sysctl_read_at(int dir, const char *name, struct buf *ret);
/* With --weak-sysctls, failure is only a warning. */
int net_sysctl_write(struct restore *r, const char *path, const char *value);
int net_sysctls_save(struct dump *dump, NetnsEntry *entry);
int net_sysctls_check(const struct ns *ns, const NetnsEntry *entry);
/* Those of conf/all and conf/default: before there are devices, which they would change. */
int net_sysctls_fill_first(struct restore *r, const NetnsEntry *entry);
int net_sysctls_fill(struct restore *r, const NetnsEntry *entry);

/* ---- restore: ns->data ---- */

/* Netlink messages of an image. */
struct net_messages {
	const char *bytes;
	size_t len;
};

/* messages.c: calls @fn for each. -EBADMSG: not well-formed. */
int net_messages_each(const struct net_messages *messages, int (*fn)(const struct nlmsghdr *message, void *arg),
		      void *arg);

/* messages.c: for route_batch_run(): logs the failure; @what: a text. */
int net_failed(void *what, uint32_t nr, int err, const char *why);

enum net_list {
	NET_ADDRESSES,
	NET_ROUTES, /* IPv4, main table */
	NET_ROUTES6,
	NET_RULES,
	NET_OTHER_ROUTES,
	NET_RULES6,
	NET_NEXTHOPS,
	NET_NEIGHBOURS,
	NET_FDB,
	NET_MDB,
	NET_QDISCS,
	NET_CLASSES,
	NET_LABELS,
	NET_NEIGHBOUR_TABLES,
	NET_MPTCP,
	NET_VLANS,
	NET_SEG6,
	NET_IOAM6,
	NET_LISTS,
};

struct device_kind;

struct net_device {
	const NetDeviceEntry *entry;
	const struct ns *ns;
	const struct device_kind *kind;
	struct net_device *peer; /* the other end, or the device below; NULL: outside of the tree, or none */
	const char *outer,
		*bridge; /* the other end outside of the tree, and the bridge that it is a port of, or NULL */
	const char *outer_parent; /* the device below, outside of the tree */
	struct net_tun *tun; /* of type tun: tun.c */
	bool made;
	bool left_out; /* a fallback device that this kernel lacks, or has under another index, and that was not in use */
};

struct net_state {
	const struct ns *ns;
	const struct inherit_fd *given; /* it is passed to us; NULL: it is created */
	const NetnsEntry *entry;
	struct net_device *devices;
	size_t nr_devices;
	struct net_messages lists[NET_LISTS];
	bool absent[NET_LISTS]; /* the images are of CRIU 4.2, which does not save these objects */
	char *iptables_text, *ip6tables_text; /* such of iptables-save(8) */
	char *nft_text; /* rules that are only there as text of nft(8); NULL: none */
	struct net_messages tracked; /* connections */
	struct nl_sock *route; /* acts in this namespace */
	int devices_dir; /* of sysfs; -1: not open */
	bool queues_come_later; /* with settings; of tun devices */
};

/* What a dump has found among the devices: what there is none of need not be asked for. */
struct net_found {
	bool vlan_tables, filters_vlans; /* bridges that have, or use, them */
};

/* ---- addresses, routes, rules...: lists.c, replay.c ---- */

int net_lists_save(struct dump *dump, const struct ns *ns, struct nl_sock *route, const struct net_found *found,
		   NetnsEntry *entry);
int net_lists_load(struct restore *r, const struct ns *ns, struct net_state *state);
/* Makes the namespace have exactly the objects of the images. Devices exist, and IPv4 addresses come before they are up. */
int net_addresses_fill(const struct net_state *state, bool v6);
int net_lists_fill(const struct net_state *state);
const char *net_list_name(enum net_list list);
/* clean.c: removes what is state, and not configuration. */
void net_message_clean(struct nlmsghdr *message);
/* A neighbour that the kernel looks for without being used (`ip neigh add ... managed`). */
bool net_neighbour_is_managed(struct nlmsghdr *message);
/* Of cleaned ones, whatever their remaining lifetimes are. */
bool net_message_is_same(const struct nlmsghdr *a, const struct nlmsghdr *b);

/* ---- what bridges and devices forward and accept: forwarding.c ---- */

/* Append messages to @to. */
int net_fdb_list(struct nl_sock *route, struct buf *to);
int net_mdb_list(struct dump *dump, const struct ns *ns, struct nl_sock *route, struct buf *to);
/* Ports are up. */
int net_fdb_fill(const struct net_state *state);
int net_mdb_fill(const struct net_state *state);

/* ---- VLANs of bridges and ports: vlans.c ---- */

bool net_has_vlan_tables(const NetDeviceEntry *entry);
bool net_filters_vlans(const NetDeviceEntry *entry);
int net_vlans_list(struct dump *dump, const struct ns *ns, struct nl_sock *route, const struct net_found *found,
		   struct buf *to);
/* Ports are in their bridges, and down. */
int net_vlans_fill(const struct net_state *state);
/* Adds the request that makes a port have the VLANs in this message to a struct route_batch. -EBADMSG */
int net_vlans_add(const struct nlmsghdr *message, void *batch);

/* ---- labels of IPv6 addresses: labels.c ---- */

int net_labels_list(struct nl_sock *route, struct buf *to);
int net_labels_fill(const struct net_state *state);

/* ---- ipv4/neigh and ipv6/neigh: neighbour_tables.c ---- */

/* Those of devices: `default` belongs to the initial namespace. */
int net_neighbour_tables_list(struct nl_sock *route, struct buf *to);
int net_neighbour_tables_fill(const struct net_state *state);

/* mptcp.c: in the namespace, when its addresses exist */
int net_mptcp_list(struct buf *to);
int net_mptcp_fill(const struct net_state *state);

/* ipv6_genl.c: NET_SEG6, NET_IOAM6 */
int net_ipv6_genl_list(enum net_list list, struct buf *to);
void net_ipv6_genl_refuse(struct dump *dump, const struct ns *ns, const struct buf *lists);
int net_ipv6_genl_fill(const struct net_state *state);

/* ---- devices ---- */

/* devices_save.c; fills in the numbers of other namespaces, too. */
int net_devices_save(struct dump *dump, const struct ns *ns, struct nl_sock *route, NetnsEntry *netns,
		     struct net_found *found);
/* devices_load.c; link: all namespaces have been loaded */
int net_devices_load(struct restore *r, const struct ns *ns, struct net_state *state);
int net_devices_link(struct restore *r);
/* fallback.c: finds those that the kernel has created; the tool acts in the namespace */
int net_fallbacks_find(struct restore *r, struct net_state *state);
/* devices_make.c: creates those of all namespaces; in the tool */
int net_devices_make(struct restore *r);
/* tun.c; save: what prevents it from being saved, or NULL. make: in the tool, which acts in the namespace */
const char *net_tun_save(struct dump *dump, const struct ns *ns, const struct nlattr *linkinfo, NetDeviceEntry *entry);
int net_tun_load(struct restore *r, struct net_device *device);
int net_tuns_make(struct restore *r, struct net_state *state);
void net_tuns_close(struct net_state *state);
/* devices.c: all but whether they are up; those of all namespaces */
int net_devices_configure(struct restore *r);
/* Its IPv6 settings: in the namespace. */
int net_devices_conf(struct restore *r, const struct net_state *state);
/* Sets them up, or down; the kernel does not invent addresses for them. */
int net_devices_up(const struct net_state *state);
/* They have their addresses: later ones are invented as before. */
int net_devices_settle(const struct net_state *state);

/* tokens.c: of IPv6 addresses (ip-token(8)); the devices have their settings, and are down */
int net_tokens_fill(struct restore *r, const struct net_state *state);

/* features.c: what is left to the hardware: ethtool -K, TUNSETOFFLOAD; the names are those of the first device. -ENODEV: there is no such one */
int net_features_save(struct dump *dump, struct nl_sock *route, NetnsEntry *netns, NetDeviceEntry *entry);
bool net_features_are_valid(const NetDeviceEntry *entry);
int net_features_fill(const struct net_state *state);
/* For TUNSETOFFLOAD; 0: none, as in a new one. */
unsigned net_features_of_tun(const struct net_state *state, const NetDeviceEntry *entry);

/* channels.c: how many queues are in use. -ENODEV: there is no such device. */
int net_channels_save(struct dump *dump, struct nl_sock *route, NetDeviceEntry *entry);
bool net_channels_are_valid(const NetDeviceEntry *entry);
int net_channels_fill(const struct net_state *state);

/*
 * settings.c: those of queues, and others in /sys/class/net. open: of the namespace that the tool acts in; -1: not available.
 * save: -ENODEV: there is no such device.
 */
int net_settings_open(int *ret_devices);
int net_settings_save(struct dump *dump, const struct ns *ns, int devices, NetDeviceEntry *entry);
bool net_settings_are_valid(const NetDeviceEntry *entry);
/* In the tool, which acts in the namespace; only root of the initial user namespace may set some of them. */
int net_settings_fill(struct restore *r, struct net_state *state);
/* The devices are up: those that the kernel takes then. */
int net_settings_fill_polling(struct restore *r, struct net_state *state);
/* Of queues of tun devices that tasks have attached to. */
int net_settings_fill_later(struct restore *r, struct net_state *state);
void net_settings_close(struct net_state *state);

/* ids.c: numbers of the other namespaces */
int net_ids_save(struct dump *dump, const struct ns *ns, struct nl_sock *route, NetnsEntry *entry);
int net_ids_fill(struct restore *r, const struct net_state *state);

/* ---- what is filtered and tracked: netfilter_save.c, netfilter_load.c ---- */

/* Blockers for what cannot be saved. */
int netfilter_save(struct dump *dump, const struct ns *ns, NetnsEntry *entry);
int netfilter_load(struct restore *r, const struct ns *ns, struct net_state *state);
/*
 * The devices exist, and are down: no packet gets past a rule. Rules that the images have as text, in all namespaces: by the
 * tool, in its own mount namespace, as libraries are loaded for them (also by names of services in the text: nss(5)).
 */
int netfilter_execute_texts(struct restore *r);
/* All others, of one namespace. */
int netfilter_fill(const struct net_state *state);

/* refuse_all.c: objects that cannot be saved are blockers. */
int net_refuse(struct dump *dump, const struct ns *ns, struct nl_sock *route);
/* refuse_addresses.c: those in these messages */
void net_refuse_addresses(struct dump *dump, const struct ns *ns, const struct buf *addresses);
