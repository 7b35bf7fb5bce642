/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How far a run has come, for whoever wants to know: options.progress, NULL if nobody does. Tasks forked by the run call
 * it, too: what it keeps lies in memory that they share.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

struct progress {
	void (*expect)(struct progress *progress, uint64_t bytes);
	void (*add)(struct progress *progress, uint64_t bytes);
	void (*finish)(struct progress *progress);
};

/* So many bytes more will have to be moved. */
static inline void progress_expect(struct progress *progress, uint64_t bytes)
{
	if (progress)
		progress->expect(progress, bytes);
}

/* They have been. After each piece of some 256 KiB or more. */
static inline void progress_add(struct progress *progress, uint64_t bytes)
{
	if (progress)
		progress->add(progress, bytes);
}

/* Nothing is shown from now on. Call before the tree runs, on its terminal; once more does no harm. */
static inline void progress_finish(struct progress *progress)
{
	if (progress)
		progress->finish(progress);
}
