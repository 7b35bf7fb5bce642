// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdint.h>

#include "util/array.h"

#define ARRAY_MIN 8

int array_grow_(void **v, size_t n, size_t *cap, size_t size, size_t more)
{
	size_t want;

	if (__builtin_add_overflow(n, more, &want))
		return -ENOMEM;
	if (want <= *cap)
		return 0;
	size_t to = *cap ? *cap : ARRAY_MIN;
	while (to < want) {
		if (to > SIZE_MAX / 2)
			return -ENOMEM;
		to *= 2;
	}
	void *grown = reallocarray(*v, to, size);
	if (!grown)
		return -ENOMEM;
	*v = grown;
	*cap = to;
	return 0;
}
