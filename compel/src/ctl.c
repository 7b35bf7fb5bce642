// SPDX-License-Identifier: LGPL-2.1-only
/* The error text of a compel_ctl. */
#include <stdarg.h>
#include <stdio.h>

#include "ctl.h"

static __thread char open_error[256];

int ctl_set_error(struct compel_ctl *ctl, int err, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vsnprintf(ctl ? ctl->error : open_error, sizeof(open_error), format, ap);
	va_end(ap);
	return err;
}

const char *compel_error(const struct compel_ctl *ctl)
{
	return ctl ? ctl->error : open_error;
}

const struct target_map *ctl_map_at(const struct compel_ctl *ctl, uint64_t address)
{
	size_t low = 0, high = ctl->nr_maps;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (ctl->maps[middle].end <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low < ctl->nr_maps && ctl->maps[low].start <= address ? &ctl->maps[low] : NULL;
}
