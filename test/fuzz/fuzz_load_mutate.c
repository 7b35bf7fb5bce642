// SPDX-License-Identifier: GPL-2.0-only
/*
 * Mutations that survive framing: a field in a record of an image gets another value, and the record remains
 * well-formed.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "fuzz_load_bundle.h"
#include "util/arena.h"

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned int seed);

void bundle_parse(const uint8_t *data, size_t size, struct bundle *ret)
{
	size_t at = 0;

	for (ret->nr = 0; ret->nr < BUNDLE_PARTS_MAX && at < size; ret->nr++) {
		struct part *part = &ret->parts[ret->nr];
		size_t name = data[at++];
		uint64_t id;
		uint32_t len;

		if (!name || name >= IMAGE_NAME_MAX || at + name + 4 > size)
			return;
		memcpy(part->name, data + at, name);
		part->name[name] = 0;
		memcpy(&len, data + at + name, 4);
		at += name + 4;
		if (image_parse_name(part->name, &part->type, &id) || len > size - at)
			return;
		part->data = data + at;
		part->len = len;
		at += len;
	}
}

size_t bundle_write(const struct bundle *bundle, uint8_t *to, size_t max)
{
	size_t at = 0;

	for (size_t i = 0; i < bundle->nr; i++) {
		const struct part *part = &bundle->parts[i];
		uint32_t len = part->len;
		uint8_t name = strlen(part->name);

		if (at + 1 + name + 4 + len > max)
			return 0;
		to[at++] = name;
		memcpy(to + at, part->name, name);
		memcpy(to + at + name, &len, 4);
		memcpy(to + at + name + 4, part->data, len);
		at += name + 4u + len;
	}
	return at;
}

static unsigned int state;

static unsigned int any(unsigned int below)
{
	state = state * 1103515245u + 12345u;
	return below ? (state >> 8) % below : 0;
}

static void other_number(void *p, size_t size)
{
	static const uint64_t values[] = {
		0,	    1,		2,	    3,	       4,	   8,	       64,
		65,	    4095,	4096,	    1 << 16,   1 << 24,	   INT32_MAX,  1u << 31,
		UINT32_MAX, 1ull << 46, 1ull << 47, INT64_MAX, 1ull << 63, UINT64_MAX, UINT64_MAX - 4095
	};
	uint64_t v = 0;

	memcpy(&v, p, size);
	switch (any(5)) {
	case 0:
		v = values[any(ARRAY_SIZE(values))];
		break;
	case 1:
		v += any(2) ? 1 : -1;
		break;
	case 2:
		v ^= 1ull << any(size * 8);
		break;
	case 3:
		v = any(64);
		break;
	default:
		LLVMFuzzerMutate((uint8_t *)&v, 8, 8);
	}
	memcpy(p, &v, size);
}

static void other_message(struct arena *arena, ProtobufCMessage *msg);

static void other_bytes(struct arena *arena, ProtobufCBinaryData *b)
{
	size_t capacity = b->len + 64;
	uint8_t *copy = arena_alloc(arena, capacity);

	if (b->len)
		memcpy(copy, b->data, b->len);
	b->len = LLVMFuzzerMutate(copy, b->len, capacity);
	b->data = copy;
}

static void other_string(struct arena *arena, char **s)
{
	size_t len = *s ? strlen(*s) : 0;
	char *copy = arena_alloc(arena, len + 65);

	if (len)
		memcpy(copy, *s, len);
	len = LLVMFuzzerMutate((uint8_t *)copy, len, len + 64);
	copy[len] = 0;
	*s = copy;
}

static size_t size_of(ProtobufCType type)
{
	switch (type) {
	case PROTOBUF_C_TYPE_MESSAGE:
	case PROTOBUF_C_TYPE_STRING:
		return sizeof(void *);
	case PROTOBUF_C_TYPE_BYTES:
		return sizeof(ProtobufCBinaryData);
	case PROTOBUF_C_TYPE_BOOL:
		return sizeof(protobuf_c_boolean);
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_SFIXED64:
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64:
	case PROTOBUF_C_TYPE_DOUBLE:
		return 8;
	default:
		return 4;
	}
}

static void other_value(struct arena *arena, const ProtobufCFieldDescriptor *f, void *p)
{
	switch (f->type) {
	case PROTOBUF_C_TYPE_MESSAGE:
		if (*(void **)p)
			other_message(arena, *(void **)p);
		break;
	case PROTOBUF_C_TYPE_STRING:
		other_string(arena, p);
		break;
	case PROTOBUF_C_TYPE_BYTES:
		other_bytes(arena, p);
		break;
	case PROTOBUF_C_TYPE_BOOL:
		*(protobuf_c_boolean *)p ^= 1;
		break;
	default:
		other_number(p, size_of(f->type));
	}
}

/* One more, one fewer, two swapped, or one changed. */
static void other_list(struct arena *arena, const ProtobufCFieldDescriptor *f, size_t *n, void **list)
{
	size_t size = size_of(f->type), i = any(*n), j = any(*n);
	uint8_t *copy = arena_alloc(arena, (*n + 1) * size), *from = *list;

	if (!*n)
		return;
	memcpy(copy, from, *n * size);
	*list = copy;
	switch (any(6)) {
	case 0:
		memcpy(copy + *n * size, from + i * size, size);
		*n += 1;
		break;
	case 1:
		memmove(copy + i * size, copy + (i + 1) * size, (*n - i - 1) * size);
		*n -= 1;
		break;
	case 2:
		memcpy(copy + i * size, from + j * size, size);
		memcpy(copy + j * size, from + i * size, size);
		break;
	default:
		other_value(arena, f, copy + i * size);
	}
}

static void other_message(struct arena *arena, ProtobufCMessage *msg)
{
	const ProtobufCFieldDescriptor *f;
	char *at = (char *)msg;

	if (!msg->descriptor->n_fields)
		return;
	f = &msg->descriptor->fields[any(msg->descriptor->n_fields)];
	if (f->label == PROTOBUF_C_LABEL_REPEATED) {
		other_list(arena, f, (size_t *)(at + f->quantifier_offset), (void **)(at + f->offset));
	} else if (f->label == PROTOBUF_C_LABEL_OPTIONAL && !any(4)) {
		if (f->type == PROTOBUF_C_TYPE_MESSAGE || f->type == PROTOBUF_C_TYPE_STRING)
			*(void **)(at + f->offset) = NULL;
		else
			*(protobuf_c_boolean *)(at + f->quantifier_offset) ^= 1;
	} else {
		other_value(arena, f, at + f->offset);
	}
}

/* Changes a field in one of the records of @part. False if there is none. */
static bool other_record(struct arena *arena, struct part *part)
{
	const struct image_spec *spec = image_spec(part->type);
	size_t head = spec->framing == IMAGE_FRAMED_OWN ? 4 : 8, at[1024], nr = 0, k, new_len;
	ProtobufCMessage *msg;
	uint32_t len;
	uint8_t *copy;

	if (!spec->first || part->len < head)
		return false;
	for (size_t pos = head; nr < ARRAY_SIZE(at) && pos + 4 <= part->len; pos += 4 + len) {
		memcpy(&len, part->data + pos, 4);
		if (len > part->len - pos - 4)
			break;
		at[nr++] = pos;
	}
	if (!nr)
		return false;
	k = any(nr);
	memcpy(&len, part->data + at[k], 4);
	msg = protobuf_c_message_unpack(k ? spec->rest : spec->first, &arena->protobuf, len, part->data + at[k] + 4);
	if (!msg)
		return false;
	for (unsigned int n = 1 + any(3); n; n--)
		other_message(arena, msg);
	new_len = protobuf_c_message_get_packed_size(msg);
	copy = arena_alloc(arena, part->len + new_len + 8);
	memcpy(copy, part->data, at[k]);
	memcpy(copy + at[k], &(uint32_t){ new_len }, 4);
	protobuf_c_message_pack(msg, copy + at[k] + 4);
	memcpy(copy + at[k] + 4 + new_len, part->data + at[k] + 4 + len, part->len - at[k] - 4 - len);
	part->len += new_len - len;
	part->data = copy;
	return true;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned int seed)
{
	struct bundle bundle;
	struct part *part;
	struct arena arena;
	uint8_t *copy, *whole;
	size_t got;

	state = seed;
	bundle_parse(data, size, &bundle);
	if (!bundle.nr)
		return LLVMFuzzerMutate(data, size, max);
	arena_init(&arena);
	part = &bundle.parts[any(bundle.nr)];
	switch (any(16)) {
	case 0:
		*part = bundle.parts[--bundle.nr];
		break;
	case 1:
		part->len = any(part->len + 1);
		break;
	case 2:
		copy = arena_alloc(&arena, part->len + 64);
		memcpy(copy, part->data, part->len);
		part->len = LLVMFuzzerMutate(copy, part->len, part->len + 64);
		part->data = copy;
		break;
	default:
		for (int tries = 0; tries < 8 && !other_record(&arena, part); tries++)
			part = &bundle.parts[any(bundle.nr)];
	}
	whole = arena_alloc(&arena, max + 1);
	got = bundle_write(&bundle, whole, max);
	if (got)
		memcpy(data, whole, got);
	arena_free(&arena);
	return got ? got : size;
}
