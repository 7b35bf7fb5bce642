/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

struct restore;

/* For criu check -D: pids that are in use already, or too large for this host. Logs each. */
int check_numbers(struct restore *r);
