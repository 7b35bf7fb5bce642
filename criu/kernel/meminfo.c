// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/meminfo.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

uint64_t meminfo_kb(const char *text, const char *name)
{
	const char *at = strstr(text, name);
	uint64_t kb;

	return at && sscanf(at + strlen(name), " %" SCNu64, &kb) == 1 ? kb : 0;
}
