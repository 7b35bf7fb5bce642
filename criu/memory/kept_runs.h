/* SPDX-License-Identifier: GPL-2.0-only */
/* Runs on their way to a sink, without the zeros that were found in them. Zeros are a valid initial value. */
#pragma once
#include "memory/page_run.h"
#include "util/array.h"

ARRAY_OF(page_runs, struct page_run);

struct kept_runs {
	struct page_runs runs, zeros;
	/* What kept_runs_next() comes to: */
	size_t run, zero;
	uint64_t at; /* in the run; less than its start: it begins */
};

/* In ascending order, like page_sink_ops.add_run and add_zeros. 0 or -ENOMEM, logged. */
int kept_runs_add(struct kept_runs *k, const struct page_run *run);
int kept_runs_add_zeros(struct kept_runs *k, uint64_t start, uint64_t end);
/*
 * The next run or part of one, with at most @max bytes of content; zeros up to there must have been added. Runs without content come
 * whole. False at the end, and if @max is 0 while content is next.
 */
bool kept_runs_next(struct kept_runs *k, uint64_t max, struct page_run *ret);
void kept_runs_free(struct kept_runs *k);
