/* SPDX-License-Identifier: GPL-2.0-only */
/* What connects the tasks of a tree with each other: pipes, FIFOs, sockets. */
#pragma once
#include "inspect/contents.h"

struct channel_end {
	const struct shown_task *task;
	bool reads, writes;
};
ARRAY_OF(channel_end_array, struct channel_end);

struct channel {
	const FileEntry *file; /* the first one that belongs to it */
	struct channel_end_array ends; /* each task once */
	bool whole; /* there is another file: both ends of a connection are two */
};
ARRAY_OF(channel_array, struct channel);

/* 0 or -ENOMEM. Free with channels_free() in any case. */
int channels_find(const struct contents *c, struct channel_array *ret);
void channels_free(struct channel_array *channels);
