// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/bits.h"
#include "request/option_table.h"
#include "request/rpc_values.h"
#include "request/take.h"

static const struct {
	uint32_t tag;
	const char *field, *option;
	const char *words[2]; /* the option's values for 0 and 1; NULL: a number; "": not set */
} later_fields[] = {
	{ 72, "image_io_mode", "image-io-mode", { "", "direct" } },
	{ 73, "compress", "compress", { "", "lz4" } },
	{ 74, "compress_acceleration", "compress-acceleration", { 0 } },
	{ 75, "compress_block_size", "compress-block", { 0 } },
	{ 76, "decompress_threads", "decompress-threads", { 0 } },
};

/* A varint that is the whole field. */
static int number_of(const ProtobufCMessageUnknownField *field, uint64_t *ret)
{
	*ret = 0;
	if (field->wire_type != PROTOBUF_C_WIRE_TYPE_VARINT || field->len > 9)
		return -EINVAL;
	for (size_t i = 0; i < field->len; i++)
		*ret |= (uint64_t)(field->data[i] & 0x7f) << 7 * i;
	return 0;
}

static int take_one(struct request *req, size_t i, const ProtobufCMessageUnknownField *field)
{
	const struct option_spec *spec = option_find(later_fields[i].option, strlen(later_fields[i].option));
	const char *word;
	char shown[64], text[24];
	uint64_t n;

	rpc_shown(shown, sizeof(shown), later_fields[i].field, spec);
	if (number_of(field, &n) || (later_fields[i].words[0] && n > 1))
		return request_refuse(req, "%s: invalid value", shown);
	snprintf(text, sizeof(text), "%lu", n);
	word = later_fields[i].words[0] ? later_fields[i].words[n] : text;
	return word[0] ? option_take(req, spec, word, shown) : 0;
}

int rpc_later_fields(struct request *req, const CriuOpts *rpc)
{
	int err = 0;

	for (unsigned k = 0; !err && k < rpc->base.n_unknown_fields; k++)
		for (size_t i = 0; !err && i < ARRAY_SIZE(later_fields); i++)
			if (rpc->base.unknown_fields[k].tag == later_fields[i].tag)
				err = take_one(req, i, &rpc->base.unknown_fields[k]);
	return err;
}
