// SPDX-License-Identifier: GPL-2.0-only
#include "image/catalog.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/bits.h"

/* The descriptors are in libimages; declaring them here avoids seventy includes. */
#define DECLARE_X(type, before, id, after, framing, magic, first, rest) \
	extern const ProtobufCMessageDescriptor first##__descriptor, rest##__descriptor;
#define DECLARE_R(...)
IMAGE_TABLE(DECLARE_X, DECLARE_R)

#define SPEC_X(type, before, id, after, framing, magic, first, rest) \
	{                                                            \
		#type,                                               \
		before,                                              \
		after,                                               \
		IMAGE_ID_##id,                                       \
		IMAGE_FRAMED_##framing,                              \
		magic,                                               \
		&first##__descriptor,                                \
		&rest##__descriptor                                  \
	},
#define SPEC_R(type, before, id, after) { #type, before, after, IMAGE_ID_##id, IMAGE_FRAMED_RAW, 0, NULL, NULL },
static const struct image_spec specs[] = { IMAGE_TABLE(SPEC_X, SPEC_R) };

const struct image_spec *image_spec(enum image_type type)
{
	return (unsigned int)type < ARRAY_SIZE(specs) ? &specs[type] : NULL;
}

int image_name(enum image_type type, uint64_t id, char ret_name[static IMAGE_NAME_MAX])
{
	const struct image_spec *spec = image_spec(type);

	if (!spec)
		return -EINVAL;
	switch (spec->id) {
	case IMAGE_ID_NO_ID:
		snprintf(ret_name, IMAGE_NAME_MAX, "%s%s", spec->before_id, spec->after_id);
		return 0;
	case IMAGE_ID_DEC:
		snprintf(ret_name, IMAGE_NAME_MAX, "%s%" PRIu64 "%s", spec->before_id, id, spec->after_id);
		return 0;
	case IMAGE_ID_HEX:
		snprintf(ret_name, IMAGE_NAME_MAX, "%s%" PRIx64 "%s", spec->before_id, id, spec->after_id);
		return 0;
	}
	return -EINVAL;
}

/* An id must consist of digits, exactly as image_name() writes it, so that names and ids correspond one to one. */
static int parse_id(enum image_id_format format, const char *text, size_t len, uint64_t *ret_id)
{
	const char *digits = "0123456789abcdef";
	uint64_t base = format == IMAGE_ID_HEX ? 16 : 10, id = 0;

	if (format == IMAGE_ID_NO_ID) {
		*ret_id = 0;
		return len ? -ENOENT : 0;
	}
	if (!len || (len > 1 && text[0] == '0'))
		return -ENOENT;
	for (size_t i = 0; i < len; i++) {
		const char *digit = memchr(digits, text[i], base);

		if (!digit || __builtin_mul_overflow(id, base, &id) ||
		    __builtin_add_overflow(id, (uint64_t)(digit - digits), &id))
			return -ENOENT;
	}
	*ret_id = id;
	return 0;
}

int image_parse_name(const char *name, enum image_type *ret_type, uint64_t *ret_id)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < ARRAY_SIZE(specs); i++) {
		size_t before = strlen(specs[i].before_id), after = strlen(specs[i].after_id);

		if (len < before + after || memcmp(name, specs[i].before_id, before) ||
		    memcmp(name + len - after, specs[i].after_id, after))
			continue;
		if (parse_id(specs[i].id, name + before, len - before - after, ret_id))
			continue;
		*ret_type = (enum image_type)i;
		return 0;
	}
	return -ENOENT;
}
