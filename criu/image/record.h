/* SPDX-License-Identifier: GPL-2.0-only */
/* Unpacks one record from untrusted bytes: the part of reading that deals with protobuf's wire format. */
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
 * Returns 0 and a message, or -EBADMSG with the text in `why`. It is allocated by @allocator; NULL: by malloc, to be
 * freed with protobuf_c_message_free_unpacked. protobuf-c itself limits neither recursion nor the copying of merged
 * fields: so the bytes are scanned first.
 */
int record_unpack(const struct packed_record *packed, ProtobufCAllocator *allocator, struct image_error *why,
		  ProtobufCMessage **ret_msg);
