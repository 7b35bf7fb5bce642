/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once
#include "fdinfo.pb-c.h"

struct description;

/* For struct fd_kind. */
void inet_describe(const FileEntry *entry, struct description *d);
