/* SPDX-License-Identifier: GPL-2.0-only */
/* The tree, and what each task is. 0 or -ENOMEM. */
#pragma once

struct contents;

int contents_read_tasks(struct contents *c);
