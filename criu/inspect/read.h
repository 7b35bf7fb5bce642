/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once
#include "inspect/contents.h"

/* 0 or -ENOMEM. Free with contents_free() in any case. */
int contents_read(struct image_store *dir, struct contents *ret);
