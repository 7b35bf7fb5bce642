/* SPDX-License-Identifier: GPL-2.0-only */
/* Sizes of memory, and command lines. 0 or -ENOMEM. */
#pragma once

struct contents;

/* After tasks and files. */
int contents_read_memory(struct contents *c);
