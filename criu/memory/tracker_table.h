/* SPDX-License-Identifier: GPL-2.0-only */
/* Between tracker_process.c and tracker.c, maybe of different versions of the tool. */
#pragma once
#include <fcntl.h>
#include <stdint.h>

#define TRACKER_TABLE_FD 0
#define TRACKER_MAGIC "CRIUkept"
#define TRACKER_VERSION 1
#define TRACKER_SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

/* The content of a sealed memfd; followed by struct kept. */
struct tracker_table {
	char magic[8];
	uint32_t version, nr;
	char run_id[40];
};
