/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

struct file;
struct restore;

/* For struct fd_kind. */
int inet_check(struct restore *r, struct file *file, const void *state);
