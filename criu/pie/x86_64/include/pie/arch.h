/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * CPU-specific parts of the structs in pie/wire.h, which are passed between the tool and a blob. Files outside this
 * CPU's folders pass these structs on without accessing their fields.
 */
#pragma once
#include <stdint.h>

/* ---- parasite ---- */

struct parasite_arch_task {
	uint64_t xcomp_perm; /* ARCH_GET_XCOMP_PERM, 0: not known */
	int32_t has_ldt; /* created by modify_ldt(2) */
	uint32_t pad;
};

struct parasite_arch_thread {
	int32_t tsc_mode; /* PR_GET_TSC */
	int32_t cpuid_allowed; /* ARCH_GET_CPUID: 0: the instruction raises SIGSEGV; negative errno */
};

/* For PARASITE_ARCH: entries of the LDT, as many as there is space for; the next command continues after them. */
#define LDT_ENTRIES_AT_ONCE 128
#define LDT_END 8192
struct ldt_slot {
	uint64_t descriptor;
	uint32_t index, pad;
};
struct parasite_ldt {
	uint32_t next; /* in and out: the first one that has not been read yet; LDT_END at the end */
	uint32_t nr_found; /* out */
	struct ldt_slot found[LDT_ENTRIES_AT_ONCE]; /* out */
};

/* ---- restorer ---- */

struct wire_arch_task {
	uint64_t ldt; /* struct ldt_slot[nr_ldt] */
	uint32_t nr_ldt, pad;
};

struct wire_arch_thread {
	uint64_t fs_base, gs_base; /* to be set together with the stack */
	int32_t tsc_mode; /* 0: unchanged */
	int32_t cpuid_allowed; /* 0: the instruction raises SIGSEGV; otherwise unchanged */
	uint32_t nr_tls;
	uint32_t tls[3][4]; /* in the format of set_thread_area(2) */
	uint32_t pad;
};
