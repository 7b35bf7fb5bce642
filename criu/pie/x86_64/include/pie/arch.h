/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What only this CPU has of what crosses over between the tool and a blob: parts of the structs in pie/wire.h. Files
 * outside of this CPU's folders pass these structs on and know none of their fields.
 */
#pragma once
#include <stdint.h>

/* ---- parasite ---- */

struct parasite_arch_task {
	uint64_t xcomp_perm; /* ARCH_GET_XCOMP_PERM, 0: not known */
	int32_t has_ldt; /* modify_ldt(2) has made one */
	uint32_t pad;
};

struct parasite_arch_thread {
	int32_t tsc_mode; /* PR_GET_TSC */
	int32_t cpuid_allowed; /* ARCH_GET_CPUID: 0: the instruction raises SIGSEGV; negative errno */
};

/* Of PARASITE_ARCH: entries of the LDT, as many as there is room for; the next command goes on behind them. */
#define LDT_ENTRIES_AT_ONCE 128
#define LDT_END 8192
struct ldt_slot {
	uint64_t descriptor;
	uint32_t index, pad;
};
struct parasite_ldt {
	uint32_t next; /* in and out: the first one that is not looked at yet; in the end LDT_END */
	uint32_t nr_found; /* out */
	struct ldt_slot found[LDT_ENTRIES_AT_ONCE]; /* out */
};

/* ---- restorer ---- */

struct wire_arch_task {
	uint64_t ldt; /* struct ldt_slot[nr_ldt] */
	uint32_t nr_ldt, pad;
};

struct wire_arch_thread {
	uint64_t fs_base, gs_base; /* go with the stack */
	int32_t tsc_mode; /* 0: leave */
	int32_t cpuid_allowed; /* 0: the instruction raises SIGSEGV; else leave */
	uint32_t nr_tls;
	uint32_t tls[3][4]; /* as set_thread_area(2) takes them */
	uint32_t pad;
};
