/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A packet to this host, as if it came from somebody else. libnet builds it, layer by layer from the inside out; crafted.c
 * sends it.
 */
#pragma once
#include <libnet.h>
#include "kinds/fd/inet/address.h"
#include "kinds/fd/inet/libnet_calls.h"

struct crafted {
	const struct libnet_calls *net;
	libnet_t *context; /* the packet that is being built */
};

struct crafted_ip {
	const union inet_address *from, *to; /* an IPv4 packet if @to is an IPv4 or a mapped address */
	int protocol;
	size_t len; /* of what the header is put in front of */
};

/* Must be freed, also after a failure. */
int crafted_begin(struct crafted *c);
void crafted_free(struct crafted *c);
/* A call of libnet has failed: the negative errno for it; libnet's own words are in the log. */
int crafted_failed(const struct crafted *c);
/* An IP header; @payload, NULL: what has been built already. */
int crafted_add_ip(struct crafted *c, const struct crafted_ip *ip, const void *payload);
/* The whole packet, with its checksums, in memory that is given back by crafted_release(). */
int crafted_bytes(struct crafted *c, uint8_t **ret_bytes, uint32_t *ret_len);
void crafted_release(struct crafted *c, uint8_t *bytes);
/* Adds the IP header, and sends it. Needs CAP_NET_RAW; marked with NFT_LOCK_MARK. */
int crafted_send(struct crafted *c, const struct crafted_ip *ip);

#define _cleanup_crafted_ __attribute__((cleanup(crafted_free)))
