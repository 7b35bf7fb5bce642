/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Progress of a run: options.progress, NULL if not wanted. Forked tasks call it, too: its data is in memory that they
 * share.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

struct progress {
	void (*expect)(struct progress *progress, uint64_t bytes);
	void (*add)(struct progress *progress, uint64_t bytes);
	void (*finish)(struct progress *progress);
};

/* Adds to the number of bytes to be transferred. */
static inline void progress_expect(struct progress *progress, uint64_t bytes)
{
	if (progress)
		progress->expect(progress, bytes);
}

/* Bytes have been transferred. Call after each piece of some 256 KiB or more. */
static inline void progress_add(struct progress *progress, uint64_t bytes)
{
	if (progress)
		progress->add(progress, bytes);
}

/* Removes the display. Call before the tree runs, on its terminal; may be called again. */
static inline void progress_finish(struct progress *progress)
{
	if (progress)
		progress->finish(progress);
}
