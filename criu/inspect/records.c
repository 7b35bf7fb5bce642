// SPDX-License-Identifier: GPL-2.0-only
#include "inspect/records.h"
#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include "image/reader.h"

/* Damaged images may have one problem per task. */
#define PROBLEMS_MAX 100

int contents_problem(struct contents *c, const char *fmt, ...)
{
	va_list ap;
	char *text;

	if (c->problems.n == PROBLEMS_MAX)
		return 0;
	va_start(ap, fmt);
	text = arena_vprintf(&c->arena, fmt, ap);
	va_end(ap);
	for (char *s = text; s && *s; s++)
		if ((unsigned char)*s < ' ' || *s == 0x7f)
			*s = '?';
	return text ? array_add(&c->problems, (const char *)text) : -ENOMEM;
}

static int keep(struct contents *c, const struct shown_records *list, size_t n, struct shown_records *ret)
{
	ret->v = arena_alloc(&c->arena, (n + 1) * sizeof(*ret->v));
	if (!ret->v)
		return -ENOMEM;
	memcpy(ret->v, list->v, n * sizeof(*ret->v));
	ret->n = n;
	return 0;
}

ARRAY_OF(message_array, ProtobufCMessage *);

static int read_all(struct contents *c, struct image_reader *img, const struct image_spec *spec,
		    struct message_array *list)
{
	const ProtobufCMessageDescriptor *type = spec->first;
	ProtobufCMessage *msg;
	int got;

	image_use_allocator(img, &c->arena.protobuf);
	for (; (got = image_read_record(img, type, &msg)) == 1; type = spec->rest)
		if (array_add(list, msg))
			return -ENOMEM;
	if (got < 0 && got != -ENOMEM)
		got = contents_problem(c, "%s", image_error(img));
	return got;
}

int contents_records(struct contents *c, enum image_type type, uint64_t id, enum need need, struct shown_records *ret)
{
	_cleanup_image_reader_ struct image_reader *img = NULL;
	struct message_array list = { 0 };
	int err = image_open(c->dir, type, id, &img);

	*ret = (struct shown_records){ 0 };
	if (err == -ENOENT && need == MAY_BE_MISSING)
		return 0;
	if (err)
		return err == -ENOMEM ? err : contents_problem(c, "%s", image_store_error(c->dir));
	err = read_all(c, img, image_spec(type), &list);
	if (!err)
		err = keep(c, &(struct shown_records){ .v = list.v }, list.n, ret);
	array_free(&list);
	return err;
}

int contents_record(struct contents *c, enum image_type type, uint64_t id, enum need need, void *ret_record)
{
	struct shown_records records;
	int err = contents_records(c, type, id, need, &records);

	if (!err && records.n)
		memcpy(ret_record, &records.v[0], sizeof(records.v[0]));
	return err;
}
