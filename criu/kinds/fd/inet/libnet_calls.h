/* SPDX-License-Identifier: GPL-2.0-only */
/* libnet, loaded on first use: linking it would cost each start of the program some 130 us. */
#pragma once
#include <libnet.h>

struct libnet_calls {
	__typeof__(libnet_init) *init;
	__typeof__(libnet_destroy) *destroy;
	__typeof__(libnet_geterror) *geterror;
	__typeof__(libnet_build_tcp) *build_tcp;
	__typeof__(libnet_build_udp) *build_udp;
	__typeof__(libnet_build_icmpv4_unreach) *build_icmpv4_unreach;
	__typeof__(libnet_build_icmpv6_unreach) *build_icmpv6_unreach;
	__typeof__(libnet_build_ipv4) *build_ipv4;
	__typeof__(libnet_build_ipv6) *build_ipv6;
	__typeof__(libnet_pblock_coalesce) *pblock_coalesce;
	__typeof__(libnet_adv_free_packet) *adv_free_packet;
};

/* NULL: it cannot be loaded (logged). Children forked later inherit it. */
const struct libnet_calls *libnet_load(void);
