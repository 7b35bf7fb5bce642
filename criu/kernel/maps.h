/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The memory map of a process: /proc/PID/maps (proc_pid_maps(5)) and, only on request, the flags in smaps, which costs
 * seven times as much. Functions return 0 or a negative errno; malformed text is -EBADMSG.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "kernel/proc_pid.h"

/* prot is PROT_READ, PROT_WRITE, PROT_EXEC of mmap(2). Addresses and @pgoff in bytes. */
struct kernel_vma {
	uint64_t start, end, pgoff;
	uint64_t ino;
	uint32_t dev_major, dev_minor;
	uint8_t prot;
	bool shared;
	/* The name ended in " (deleted)", which is cut off. A file may really have that name: check its link count. */
	bool deleted;
	/*
	 * "" for anonymous memory without a name; "[heap]", "[stack]", "[vdso]", "[vvar]", "[vsyscall]", "[anon:x]";
	 * the path of a file, relative to the root of its own mount namespace. Newlines are unescaped. Owned by the
	 * map.
	 */
	const char *name;
};

struct maps {
	struct kernel_vma *v; /* ascending and disjoint */
	size_t n, cap;
	char *text; /* the names */
};

int maps_read(const struct proc *p, struct maps *ret);
/* For tests: of a text. */
int maps_parse(const char *text, size_t len, struct maps *ret);
void maps_free(struct maps *m);
#define _cleanup_maps_ __attribute__((cleanup(maps_free)))
/* The VMA that contains @addr, or NULL. */
const struct kernel_vma *maps_find(const struct maps *m, uint64_t addr);
/* The name in map_files of this VMA: "START-END" in hex. @ret has 40 bytes. */
#define MAP_FILES_NAME 40
void map_files_name(const struct kernel_vma *v, char ret[MAP_FILES_NAME]);

/* Bits of VmFlags, named after their two letters. */
enum vm_flag {
	VMF_RD,
	VMF_WR,
	VMF_EX,
	VMF_SH,
	VMF_MR,
	VMF_MW,
	VMF_ME,
	VMF_MS,
	VMF_GD,
	VMF_PF,
	VMF_DW,
	VMF_LO,
	VMF_IO,
	VMF_SR,
	VMF_RR,
	VMF_DC,
	VMF_DE,
	VMF_LF, /* VM_LOCKONFAULT; before Linux 6.18 written as "??" */
	VMF_AC,
	VMF_NR,
	VMF_HT,
	VMF_SF,
	VMF_NL,
	VMF_AR,
	VMF_WF,
	VMF_DD,
	VMF_SD,
	VMF_MM,
	VMF_HG,
	VMF_NH,
	VMF_MG,
	VMF_BT,
	VMF_MT,
	VMF_UM,
	VMF_UW,
	VMF_UI,
	VMF_SS,
	VMF_SL,
	VMF_GU,
	VMF_DP,
	VMF_FT,
	VMF_COUNT,
};

struct vma_flags {
	uint64_t start, end;
	uint64_t flags; /* 1 << VMF_* */
	char unknown[16]; /* flags without a bit here, as written by the kernel */
	uint64_t page_kb, rss_kb, pss_kb, swap_kb, locked_kb;
	uint64_t thp_kb; /* transparent huge pages of its own */
	int pkey; /* -1: not shown */
	bool not_counted; /* the counts above are not known: some are set as if it had shared pages and huge ones */
};
ARRAY_OF(vma_flags_array, struct vma_flags);

/* The map, and the flags of every VMA in the same order, appended: one text contains both. */
int smaps_read(const struct proc *p, struct maps *ret_maps, struct vma_flags_array *to);
/* The same, of its text. */
int smaps_split(const char *text, size_t len, struct maps *ret_maps, struct vma_flags_array *to);
/* VMF_* of a word in smaps; VMF_COUNT: unknown. */
unsigned vma_flag_named(const char *name, size_t len);
/* For tests: the flags alone, of a text. */
int smaps_parse(const char *text, size_t len, struct vma_flags_array *to);
