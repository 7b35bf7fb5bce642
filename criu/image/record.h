/* SPDX-License-Identifier: GPL-2.0-only */
/* One record from bytes nobody vouches for: the part of reading that knows protobuf's wire. */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <protobuf-c/protobuf-c.h>

#include "image/error.h"

struct packed_record {
	const ProtobufCMessageDescriptor *type;
	const uint8_t *buf;
	size_t len;
};

/*
 * 0 and a message, or -EBADMSG with the reason in `why`. Its memory comes from @allocator; NULL: from malloc, to be freed
 * with protobuf_c_message_free_unpacked. protobuf-c itself recurses as deep as the bytes say and copies without a limit
 * what is merged: so the bytes are looked over first.
 */
int record_unpack(const struct packed_record *packed, ProtobufCAllocator *allocator, struct image_error *why,
		  ProtobufCMessage **ret_msg);
