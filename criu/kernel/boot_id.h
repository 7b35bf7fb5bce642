/* SPDX-License-Identifier: GPL-2.0-only */
/* Which boot of which machine this is: random(4). */
#pragma once

#define BOOT_ID_LEN 36

/* With a zero behind it. 0 or a negative errno. */
int boot_id_read(char ret[BOOT_ID_LEN + 1]);
