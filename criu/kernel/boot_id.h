/* SPDX-License-Identifier: GPL-2.0-only */
/* The id of this boot of this machine: random(4). */
#pragma once

#define BOOT_ID_LEN 36

/* NUL-terminated. 0 or a negative errno. */
int boot_id_read(char ret[BOOT_ID_LEN + 1]);
