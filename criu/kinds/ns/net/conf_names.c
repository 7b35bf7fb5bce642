// SPDX-License-Identifier: GPL-2.0-only
/* The settings in /proc/sys/net/ipv4/conf and ipv6/conf: their order in images, and in the arrays of RTM_GETLINK. */
#include "internal.h"
#include "base/bits.h"

/* include/uapi/linux/ip.h, IPV4_DEVCONF_*: an element is one less */
static const struct conf_name names4[] = {
	{ "accept_local", 22, 0 },
	{ "accept_redirects", 3, 0 },
	{ "accept_source_route", 8, 0 },
	{ "arp_accept", 20, 0 },
	{ "arp_announce", 17, 0 },
	{ "arp_filter", 12, 0 },
	{ "arp_ignore", 18, 0 },
	{ "arp_notify", 21, 0 },
	{ "bootp_relay", 9, 0 },
	{ "disable_policy", 15, 0 },
	{ "disable_xfrm", 14, 0 },
	{ "force_igmp_version", 16, 0 },
	{ "forwarding", 0, 0 },
	{ "igmpv2_unsolicited_report_interval", 26, 0 },
	{ "igmpv3_unsolicited_report_interval", 27, 0 },
	{ "log_martians", 10, 0 },
	{ "medium_id", 13, 0 },
	{ "promote_secondaries", 19, 0 },
	{ "proxy_arp", 2, 0 },
	{ "proxy_arp_pvlan", 24, 0 },
	{ "route_localnet", 25, 0 },
	{ "rp_filter", 7, 0 },
	{ "secure_redirects", 4, 0 },
	{ "send_redirects", 5, 0 },
	{ "shared_media", 6, 0 },
	{ "src_valid_mark", 23, 0 },
	{ "tag", 11, 0 },
	{ "ignore_routes_with_linkdown", 28, 0 },
	{ "drop_gratuitous_arp", 30, 0 },
	{ "drop_unicast_in_l2_multicast", 29, 0 },
};

/* include/uapi/linux/ipv6.h, DEVCONF_* */
static const struct conf_name names6[] = {
	{ "accept_dad", 27, 0 },
	{ "accept_ra", 3, 0 },
	{ "accept_ra_defrtr", 17, 0 },
	{ "accept_ra_from_local", 33, 0 },
	{ "accept_ra_min_hop_limit", 38, 0 },
	{ "accept_ra_mtu", 35, 0 },
	{ "accept_ra_pinfo", 18, 0 },
	{ "accept_ra_rt_info_max_plen", 21, 0 },
	{ "accept_ra_rtr_pref", 19, 0 },
	{ "accept_redirects", 4, 0 },
	{ "accept_source_route", 24, 0 },
	{ "autoconf", 5, 0 },
	{ "dad_transmits", 6, 0 },
	{ "disable_ipv6", 26, 0 },
	{ "drop_unicast_in_l2_multicast", 40, 0 },
	{ "drop_unsolicited_na", 41, 0 },
	{ "force_mld_version", 16, 0 },
	{ "force_tllao", 28, 0 },
	{ "forwarding", 0, 0 },
	{ "hop_limit", 1, 0 },
	{ "ignore_routes_with_linkdown", 39, 0 },
	{ "keep_addr_on_down", 42, 0 },
	{ "max_addresses", 15, 0 },
	{ "max_desync_factor", 14, 0 },
	{ "mldv1_unsolicited_report_interval", 30, 0 },
	{ "mldv2_unsolicited_report_interval", 31, 0 },
	{ "mtu", 2, 0 },
	{ "ndisc_notify", 29, 0 },
	{ "optimistic_dad", 23, 0 },
	{ "proxy_ndp", 22, 0 },
	{ "regen_max_retry", 13, 0 },
	{ "router_probe_interval", 20, CONF_MS },
	{ "router_solicitation_delay", 9, CONF_MS },
	{ "router_solicitation_interval", 8, CONF_MS },
	{ "router_solicitations", 7, 0 },
	{ "stable_secret", 0, CONF_TEXT },
	{ "suppress_frag_ndisc", 32, 0 },
	{ "temp_prefered_lft", 12, 0 },
	{ "temp_valid_lft", 11, 0 },
	{ "use_oif_addrs_only", 37, 0 },
	{ "use_optimistic", 34, 0 },
	{ "use_tempaddr", 10, 0 },
};

/* The format has no place for these; they are saved like other sysctls. */
static const struct conf_name more4[] = {
	{ "bc_forwarding", 31, 0 },
	{ "arp_evict_nocarrier", 32, 0 },
};
/* Without addr_gen_mode: devices.c */
static const struct conf_name more6[] = {
	{ "router_solicitation_max_interval", 43, CONF_MS },
	{ "seg6_enabled", 44, 0 },
	{ "seg6_require_hmac", 45, 0 },
	{ "enhanced_dad", 46, 0 },
	{ "disable_policy", 48, 0 },
	{ "accept_ra_rt_info_min_plen", 49, 0 },
	{ "ndisc_tclass", 50, 0 },
	{ "rpl_seg_enabled", 51, 0 },
	{ "ra_defrtr_metric", 52, CONF_U32 },
	{ "ioam6_enabled", 53, 0 },
	{ "ndisc_evict_nocarrier", 56, 0 },
	{ "accept_untracked_na", 57, 0 },
	{ "accept_ra_min_lft", 58, 0 },
	{ "force_forwarding", 59, 0 },
};

const struct conf_family conf_families[] = {
	[CONF_IPV4] = { "ipv4", names4, ARRAY_SIZE(names4), more4, ARRAY_SIZE(more4) },
	[CONF_IPV6] = { "ipv6", names6, ARRAY_SIZE(names6), more6, ARRAY_SIZE(more6) },
};
