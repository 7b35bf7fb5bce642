// SPDX-License-Identifier: GPL-2.0-only
#include "image/record.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum {
	DEPTH_MAX = 64, /* nested messages; only cgroup_dir_entry is really nested */
	FIELDS_MAX = 128, /* of one message; criu_opts has the most */
	WIRE_VARINT = 0,
	WIRE_64BIT = 1,
	WIRE_BYTES = 2,
	WIRE_32BIT = 5,
};

/* The rest of the bytes to scan. */
struct wire {
	const uint8_t *at, *end;
	struct image_error *why;
};

static bool take_varint(struct wire *wire, uint64_t *ret)
{
	uint64_t value = 0;

	for (unsigned int shift = 0; shift < 70 && wire->at < wire->end; shift += 7) {
		uint8_t byte = *wire->at++;

		value |= (uint64_t)(byte & 0x7f) << (shift < 64 ? shift : 63);
		if (!(byte & 0x80)) {
			*ret = value;
			return true;
		}
	}
	return false;
}

static int look_over(const ProtobufCMessageDescriptor *type, struct wire wire, int depth);

static int look_over_bytes(const ProtobufCMessageDescriptor *type, const ProtobufCFieldDescriptor *field,
			   struct wire value, int depth)
{
	if (!field)
		return 0; /* from a newer format: kept */
	if (field->type == PROTOBUF_C_TYPE_MESSAGE)
		return look_over(field->descriptor, value, depth + 1);
	if (field->type == PROTOBUF_C_TYPE_STRING && memchr(value.at, '\0', value.end - value.at))
		return image_fail(value.why, -EBADMSG, "%s.%s contains a NUL", type->name, field->name);
	return 0;
}

/* Skips one value; messages and strings are scanned. */
static int look_over_value(const ProtobufCMessageDescriptor *type, const ProtobufCFieldDescriptor *field,
			   unsigned int wire_type, struct wire *wire, int depth)
{
	struct wire value = *wire;
	uint64_t len = 0;

	if (wire_type == WIRE_VARINT && take_varint(wire, &len))
		return 0;
	if (wire_type == WIRE_BYTES && take_varint(wire, &len) && len <= (uint64_t)(wire->end - wire->at)) {
		value.at = wire->at;
		wire->at += len;
		value.end = wire->at;
		return look_over_bytes(type, field, value, depth);
	}
	if (wire_type == WIRE_64BIT || wire_type == WIRE_32BIT) {
		len = wire_type == WIRE_64BIT ? 8 : 4;
		if (len <= (uint64_t)(wire->end - wire->at)) {
			wire->at += len;
			return 0;
		}
	}
	return image_fail(wire->why, -EBADMSG, "a field of %s is truncated or has an invalid type", type->name);
}

static int look_over(const ProtobufCMessageDescriptor *type, struct wire wire, int depth)
{
	bool seen[FIELDS_MAX] = { false };

	if (depth > DEPTH_MAX)
		return image_fail(wire.why, -EBADMSG, "%s is nested more than %d messages deep", type->name, DEPTH_MAX);
	while (wire.at < wire.end) {
		const ProtobufCFieldDescriptor *field;
		uint64_t tag;
		int err;

		if (!take_varint(&wire, &tag) || tag >> 32 || !(tag >> 3))
			return image_fail(wire.why, -EBADMSG, "invalid field number in %s", type->name);
		field = protobuf_c_message_descriptor_get_field(type, tag >> 3);
		/* No encoder writes a field twice, and merging them could cost a decoder much time and memory. */
		if (field && field->label != PROTOBUF_C_LABEL_REPEATED) {
			size_t index = field - type->fields;

			if (index < FIELDS_MAX && seen[index])
				return image_fail(wire.why, -EBADMSG, "duplicate field %s.%s", type->name, field->name);
			if (index < FIELDS_MAX)
				seen[index] = true;
		}
		err = look_over_value(type, field, tag & 7, &wire, depth);
		if (err)
			return err;
	}
	return 0;
}

/* Limit for the memory of an unpacked record, as a few bytes can expand a lot. */
struct budget {
	ProtobufCAllocator *from; /* NULL: malloc */
	size_t left;
	bool exceeded;
};

static void *allocate(void *data, size_t size)
{
	struct budget *budget = data;

	if (size > budget->left) {
		budget->exceeded = true;
		return NULL;
	}
	budget->left -= size;
	return budget->from ? budget->from->alloc(budget->from->allocator_data, size) : malloc(size);
}

static void release(void *data, void *memory)
{
	const struct budget *budget = data;

	if (budget->from)
		budget->from->free(budget->from->allocator_data, memory);
	else
		free(memory);
}

int record_unpack(const struct packed_record *packed, ProtobufCAllocator *allocator, struct image_error *why,
		  ProtobufCMessage **ret_msg)
{
	const ProtobufCMessageDescriptor *type = packed->type;
	struct budget budget = { .from = allocator, .left = (64 << 10) + 128 * packed->len };
	ProtobufCAllocator bounded = { allocate, release, &budget };
	ProtobufCMessage *msg;
	int err;

	err = look_over(type, (struct wire){ packed->buf, packed->buf + packed->len, why }, 0);
	if (err)
		return err;
	msg = protobuf_c_message_unpack(type, &bounded, packed->len, packed->buf);
	if (!msg)
		return image_fail(why, -EBADMSG,
				  budget.exceeded ? "%s needs too much memory for its %zu bytes" :
						    "no valid %s in %zu bytes (a required field may be missing)",
				  type->name, packed->len);
	*ret_msg = msg;
	return 0;
}
