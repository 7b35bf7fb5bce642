// SPDX-License-Identifier: GPL-2.0-only
/* From the CPU itself: some kernels need 20 ms for /proc/cpuinfo. */
#include "kernel/cpu_name.h"
#include <cpuid.h>
#include <string.h>

enum { FIRST_LEAF = 0x80000002, LEAVES = 3, LEAF_BYTES = 16 };

void cpu_name(char ret[static CPU_NAME_MAX])
{
	unsigned int reg[LEAVES][4] = { 0 };
	char text[LEAVES * LEAF_BYTES + 1] = "";
	const char *start = text;

	for (unsigned int i = 0; i < LEAVES; i++)
		if (!__get_cpuid(FIRST_LEAF + i, &reg[i][0], &reg[i][1], &reg[i][2], &reg[i][3]))
			break;
	memcpy(text, reg, sizeof(reg));
	start += strspn(start, " ");
	memcpy(ret, start, strlen(start) + 1);
}
