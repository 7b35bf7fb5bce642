/* SPDX-License-Identifier: GPL-2.0-only */
/* UUIDs: as text, like those of the kernel (/proc/sys/kernel/random/uuid), and as two numbers. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#define UUID_SIZE 37 /* of the text, with its NUL */

struct uuid {
	uint64_t high, low;
};

/* False, and *ret is zero: not a UUID in lower case. */
bool uuid_parse(const char *text, struct uuid *ret);
void uuid_format(const struct uuid *uuid, char ret[static UUID_SIZE]);

static inline bool uuid_is_zero(const struct uuid *uuid)
{
	return !uuid->high && !uuid->low;
}
