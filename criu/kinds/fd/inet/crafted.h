/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Packets to this host with a forged sender. libnet builds them, layer by layer from the inside out; crafted.c sends
 * them.
 */
#pragma once
#include <libnet.h>
#include "kinds/fd/inet/address.h"
#include "kinds/fd/inet/libnet_calls.h"

struct crafted {
	const struct libnet_calls *net;
	libnet_t *context; /* the packet under construction */
};

struct crafted_ip {
	const union inet_address *from, *to; /* an IPv4 packet if @to is IPv4 or mapped */
	int protocol;
	size_t len; /* length of the header's payload */
};

/* Must be freed, even after a failure. */
int crafted_begin(struct crafted *c);
void crafted_free(struct crafted *c);
/* Called when a libnet function has failed: logs libnet's message and returns a negative errno. */
int crafted_failed(const struct crafted *c);
/* An IP header. @payload NULL: what has been built already. */
int crafted_add_ip(struct crafted *c, const struct crafted_ip *ip, const void *payload);
/* The complete packet with its checksums; free it with crafted_release(). */
int crafted_bytes(struct crafted *c, uint8_t **ret_bytes, uint32_t *ret_len);
void crafted_release(struct crafted *c, uint8_t *bytes);
/* Adds the IP header and sends the packet. Needs CAP_NET_RAW; the packet is marked with NFT_LOCK_MARK. */
int crafted_send(struct crafted *c, const struct crafted_ip *ip);

#define _cleanup_crafted_ __attribute__((cleanup(crafted_free)))
