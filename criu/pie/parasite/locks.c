// SPDX-License-Identifier: GPL-2.0-only
/* Inside a task: no libc, no globals, direct system calls only. Are its future mappings locked (mlockall(2))? */
#include <compel/pie.h>
#include <linux/mman.h>
#include <stdbool.h>
#include "base/bits.h"
#include "parasite.h"

#ifndef MADV_COLD
#define MADV_COLD 20
#endif

/* Tested with a new page: only locked memory refuses MADV_DONTNEED; with MCL_ONFAULT it is still empty. */
static int32_t ask_by_page(void)
{
	unsigned char resident = 1;
	char *page = (char *)sys_mmap(NULL, PAGE_SZ, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if ((long)page < 0 && (long)page > -(long)PAGE_SZ)
		return MCL_FUTURE; /* RLIMIT_MEMLOCK is exhausted */
	bool locked = sys_madvise(page, PAGE_SZ, MADV_DONTNEED) == -E_INVAL;
	if (locked)
		sys_mincore(page, PAGE_SZ, &resident);
	sys_munmap(page, PAGE_SZ);
	return !locked ? 0 : resident & 1 ? MCL_FUTURE : MCL_FUTURE | MCL_ONFAULT;
}

/*
 * @here has just been mapped by the task. MADV_COLD changes nothing, and is refused in locked memory, or by old
 * kernels.
 */
int32_t parasite_mlock_future(void *here)
{
	char *page = (char *)((unsigned long)here & ~(PAGE_SZ - 1));

	return sys_madvise(page, PAGE_SZ, MADV_COLD) == -E_INVAL ? ask_by_page() : 0;
}
