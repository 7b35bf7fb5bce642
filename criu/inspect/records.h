/* SPDX-License-Identifier: GPL-2.0-only */
/* Records of any type. Functions return 0 or -ENOMEM: whatever else goes wrong is noted as a problem. */
#pragma once
#include <protobuf-c/protobuf-c.h>
#include "image/catalog.h"
#include "inspect/contents.h"

struct shown_records {
	ProtobufCMessage **v;
	size_t n;
};

enum need { MAY_BE_MISSING, MUST_EXIST };

int contents_problem(struct contents *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* All records up to the first bad one. They live as long as @c. */
int contents_records(struct contents *c, enum image_type type, uint64_t id, enum need need, struct shown_records *ret);
/* The first record; @ret_record is unchanged if there is none. */
int contents_record(struct contents *c, enum image_type type, uint64_t id, enum need need, void *ret_record);
