/* SPDX-License-Identifier: GPL-2.0-only */
/* A packet to this host, as if it came from somebody else. */
#pragma once
#include "kinds/fd/inet/address.h"

/*
 * @data: what follows the IP header, of @len bytes; its 16 bit checksum lies at @checksum_at, 0 now. The packet is one of
 * IPv4 if @to is an IPv4 or a mapped address. Needs CAP_NET_RAW; marked with NFT_LOCK_MARK.
 */
int raw_ip_send(const union inet_address *from, const union inet_address *to, int protocol, void *data, size_t len,
		size_t checksum_at);
