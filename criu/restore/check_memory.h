/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

struct restore;

/* For criu check -D: more memory than there is. Logs it. */
int check_memory(struct restore *r);
