/* SPDX-License-Identifier: GPL-2.0-only */
#include "memory/kept_runs.h"
#include <errno.h>
#include "base/bits.h"
#include "util/log.h"

int kept_runs_add(struct kept_runs *k, const struct page_run *run)
{
	struct page_run *last = k->runs.n ? &k->runs.v[k->runs.n - 1] : NULL;

	if (last && last->end == run->start && last->outcome == run->outcome && last->may_be_lazy == run->may_be_lazy &&
	    last->same_as == run->same_as) {
		last->end = run->end;
		return 0;
	}
	return array_add(&k->runs, *run) ? fail(-ENOMEM, "list of pages") : 0;
}

int kept_runs_add_zeros(struct kept_runs *k, uint64_t start, uint64_t end)
{
	struct page_run zeros = { .start = start, .end = end };

	return array_add(&k->zeros, zeros) ? fail(-ENOMEM, "list of pages") : 0;
}

/* Zeros may go on in the next run. */
static void skip_zeros(struct kept_runs *k, uint64_t run_end)
{
	while (k->zero < k->zeros.n && k->zeros.v[k->zero].start <= k->at && k->at < run_end) {
		k->at = MAX_OF(k->at, MIN_OF(k->zeros.v[k->zero].end, run_end));
		if (k->zeros.v[k->zero].end <= k->at)
			k->zero++;
	}
}

bool kept_runs_next(struct kept_runs *k, uint64_t max, struct page_run *ret)
{
	for (; k->run < k->runs.n; k->run++) {
		const struct page_run *run = &k->runs.v[k->run];
		const bool has_content = page_run_has_content(run);

		k->at = MAX_OF(k->at, run->start);
		if (has_content)
			skip_zeros(k, run->end);
		if (k->at >= run->end)
			continue;
		if (has_content && !max)
			return false;
		*ret = *run;
		ret->start = k->at;
		if (has_content && run->end - k->at > max)
			ret->end = k->at + max;
		if (has_content && k->zero < k->zeros.n)
			ret->end = MIN_OF(ret->end, k->zeros.v[k->zero].start);
		k->at = ret->end;
		return true;
	}
	return false;
}

void kept_runs_free(struct kept_runs *k)
{
	array_free(&k->runs);
	array_free(&k->zeros);
}
