// SPDX-License-Identifier: GPL-2.0-only
/*
 * Runs inside another process: no libc, direct system calls only. The static variables test that pack and infect place
 * them; blobs other than tests have none.
 */
#include <compel/pie.h>
#include "probe.h"

unsigned long blob_entry(unsigned int command, void *args);
extern unsigned int blob_export_counter;
unsigned int blob_export_counter = 5;
static volatile unsigned int zeroes[3000];
static const unsigned char table[] = { 3, 1, 4, 1, 5, 9, 2, 6 };

static uint32_t work(uint32_t count)
{
	unsigned char stack[8192];
	uint32_t sum = 0;

	memset(stack, 1, sizeof(stack));
	for (uint32_t i = 0; i < count; i++) {
		sys_call0(__NR_getppid);
		stack[i % sizeof(stack)] += table[i % sizeof(table)];
	}
	for (size_t i = 0; i < sizeof(stack); i++)
		sum += stack[i];
	return sum;
}

unsigned long blob_entry(unsigned int command, void *args)
{
	struct probe_args *a = args;

	switch (command) {
	case PROBE_IDS:
		a->pid = (int32_t)sys_getpid();
		a->tid = (int32_t)sys_gettid();
		return a->tid;
	case PROBE_CALLS:
		a->sum = work(a->count);
		return 0;
	case PROBE_FAULT:
		__asm__ volatile("movl $1, (%0)" : : "r"(0ul) : "memory");
		return 0;
	case PROBE_STATICS:
		zeroes[2999]++;
		return ++blob_export_counter * 100 + zeroes[2999];
	}
	return (unsigned long)-22;
}
