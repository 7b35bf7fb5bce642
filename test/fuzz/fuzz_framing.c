// SPDX-License-Identifier: GPL-2.0-only
/* Arbitrary bytes as any image. The first byte selects the type, the second whether a valid header is prepended. */
#include <stdlib.h>
#include <string.h>

#include "../unit/image_helper.h"
#include "base/cleanup.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t put_header(const struct image_spec *spec, uint8_t *at)
{
	uint32_t magics[2] = { spec->framing == IMAGE_FRAMED_SERVICE ? IMAGE_MAGIC_SERVICE : IMAGE_MAGIC_COMMON,
			       spec->magic };
	size_t skip = spec->framing == IMAGE_FRAMED_OWN;

	if (spec->framing == IMAGE_FRAMED_RAW)
		return 0;
	memcpy(at, magics + skip, (2 - skip) * 4);
	return (2 - skip) * 4;
}

/* A fuzzer is fastest with records without sizes: the third mode takes all bytes as one record. */
static size_t put_size(uint8_t *at, uint32_t size)
{
	memcpy(at, &size, 4);
	return 4;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_image_store_ struct image_store *store = NULL;
	_cleanup_image_reader_ struct image_reader *img = NULL;
	_cleanup_free_ uint8_t *image = NULL;
	const struct image_spec *spec;
	unsigned long records;
	enum image_type type;
	size_t len = 0;

	if (size < 2)
		return 0;
	type = data[0] % IMAGE_TYPES;
	spec = image_spec(type);
	image = malloc(size + 16);
	if (data[1] & 1)
		len = put_header(spec, image);
	if (data[1] & 2)
		len += put_size(image + len, size - 2);
	memcpy(image + len, data + 2, size - 2);
	len += size - 2;
	if (type == IMAGE_PAGES)
		return 0;
	store = store_of_bytes(type, 1, image, len);
	if (image_open(store, type, 1, &img)) {
		if (!image_store_error(store)[0])
			abort();
		return 0;
	}
	if (spec->first && walk_image(type, img, NULL, &records) && !image_error(img)[0])
		abort();
	return 0;
}
