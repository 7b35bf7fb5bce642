/* SPDX-License-Identifier: GPL-2.0-only */
/* Files, and the descriptors of tasks. 0 or -ENOMEM. */
#pragma once

struct contents;

int contents_read_files(struct contents *c);
/* After the tasks. */
int contents_read_fds(struct contents *c);
