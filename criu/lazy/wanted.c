// SPDX-License-Identifier: GPL-2.0-only
#include "lazy/wanted.h"
#include <string.h>

int wanted_add(struct lazy_daemon *d, struct lazy_space *space, uint64_t page)
{
	for (size_t i = 0; i < d->wanted.n; i++)
		if (d->wanted.v[i].space == space && d->wanted.v[i].addr == page)
			return 0;
	pthread_cond_broadcast(&d->more);
	return array_add(&d->wanted, ((struct lazy_fault){ space, page }));
}

bool wanted_take(struct lazy_daemon *d, struct lazy_fault *ret, const struct lazy_range **ret_range)
{
	while (d->wanted.n) {
		const struct lazy_range *range;

		*ret = d->wanted.v[0];
		memmove(d->wanted.v, d->wanted.v + 1, --d->wanted.n * sizeof(*ret));
		range = ret->space->ended ? NULL : space_find(ret->space, ret->addr);
		*ret_range = range;
		if (range && range->fd < 0 && space_is_missing(ret->space, range, ret->addr))
			return true;
	}
	return false;
}
