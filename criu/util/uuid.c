// SPDX-License-Identifier: GPL-2.0-only
#include "util/uuid.h"
#include <stdio.h>
#include <string.h>

static bool is_dash(size_t at)
{
	return at == 8 || at == 13 || at == 18 || at == 23;
}

bool uuid_parse(const char *text, struct uuid *ret)
{
	static const char digits[] = "0123456789abcdef";
	struct uuid uuid = { 0 };

	*ret = uuid;
	if (strlen(text) != UUID_SIZE - 1)
		return false;
	for (size_t i = 0; i < UUID_SIZE - 1; i++) {
		const char *digit = strchr(digits, text[i]);

		if (is_dash(i) != (text[i] == '-') || (!digit && !is_dash(i)))
			return false;
		if (!digit)
			continue;
		uuid.high = uuid.high << 4 | uuid.low >> 60;
		uuid.low = uuid.low << 4 | (uint64_t)(digit - digits);
	}
	*ret = uuid;
	return true;
}

void uuid_format(const struct uuid *uuid, char ret[static UUID_SIZE])
{
	snprintf(ret, UUID_SIZE, "%08x-%04x-%04x-%04x-%012lx", (unsigned)(uuid->high >> 32),
		 (unsigned)(uuid->high >> 16 & 0xffff), (unsigned)(uuid->high & 0xffff), (unsigned)(uuid->low >> 48),
		 uuid->low & 0xffffffffffff);
}
