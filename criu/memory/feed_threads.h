/* SPDX-License-Identifier: GPL-2.0-only */
/* Who reads the items of a list: this thread, and others that help it (bare_thread.h). */
#pragma once
#include "memory/feed_items.h"

/* Does all items of work->pass, unless work->failed is set. -ENOMEM, not logged: nothing has been done. */
int feed_by_threads(struct feed_work *work);
