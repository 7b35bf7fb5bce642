/* SPDX-License-Identifier: GPL-2.0-only */
/* A TCP segment with a forged sender. */
#pragma once
#include "kinds/fd/inet/address.h"

struct segment {
	union inet_address from, to; /* to: an address of this host */
	bool fin, rst;
	uint32_t seq, ack;
	uint16_t window;
	bool urgent; /* the first byte of @data is urgent */
	const void *data;
	size_t len;
};

/* Needs CAP_NET_RAW; the segment is marked with NFT_LOCK_MARK. */
int segment_send(const struct segment *s);
