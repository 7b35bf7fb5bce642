/* SPDX-License-Identifier: GPL-2.0-only */
/* Where and when a dump was made: inventory.img has it for criu ps. */
#pragma once
#include <sys/utsname.h>
#include "inventory.pb-c.h"
#include "cpu/cpuinfo.h"
#include "kernel/boot_id.h"
#include "kernel/cpu_name.h"

struct dump;

/* The record with the strings that it refers to. */
struct origin {
	OriginEntry entry;
	struct utsname uts;
	char cpu[CPU_NAME_MAX];
	char boot_id[BOOT_ID_LEN + 1];
	uint32_t cpu_features[CPU_FEATURE_WORDS];
};

/* What cannot be found out is missing in the record: no reason for a dump to fail. */
void dump_fill_origin(const struct dump *dump, struct origin *ret);
