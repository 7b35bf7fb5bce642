// SPDX-License-Identifier: GPL-2.0-only
/* From the CPU itself: some kernels need 20 ms for /proc/cpuinfo. */
#include "kernel/cpu_name.h"
#include <string.h>
#include "util/x86_64/cpuid.h"

enum { FIRST_LEAF = 0x80000002, LEAVES = 3 };

void cpu_name(char ret[static CPU_NAME_MAX])
{
	struct cpuid reg[LEAVES] = { 0 };
	char text[sizeof(reg) + 1] = "";
	const char *start = text;

	for (unsigned int i = 0; i < LEAVES; i++)
		if (!cpuid_ask(FIRST_LEAF + i, 0, &reg[i]))
			break;
	memcpy(text, reg, sizeof(reg));
	start += strspn(start, " ");
	memcpy(ret, start, strlen(start) + 1);
}
