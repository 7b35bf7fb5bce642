/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A fork copies the page tables of a private file mapping only where pages of it have been written: all others are
 * faulted in, 64K at a time, in every process again. The part of our own code that a task needs until it is complete is
 * the same for all of them, and can be copied for the cost of two or three faults: so one page of each such mapping is
 * written, with its current content.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <unistd.h>
#include "kernel/maps.h"
#include "kernel/proc_pid.h"
#include "restore/restore.h"
#include "run/restore.h"
#include "util/fds.h"

/* For fewer tasks the faults cost less than this does. */
#define WORTH_WRITING 8

/* The first mapping of a file, and all of the dynamic linker, have been used for the last time when main() began. */
static bool is_in_use(const struct kernel_vma *v, uint64_t linker)
{
	return v->ino && v->pgoff && v->ino != linker && (v->prot & PROT_READ) && !(v->prot & PROT_WRITE) && !v->shared;
}

/* The inode of the dynamic linker; 0: none. */
static uint64_t find_linker(const struct maps *maps)
{
	unsigned long base = getauxval(AT_BASE);

	for (size_t i = 0; base && i < maps->n; i++)
		if (maps->v[i].start == base)
			return maps->v[i].ino;
	return 0;
}

/* As a debugger would. If that is not permitted, page faults do it. */
static int write_page(int mem, uint64_t addr)
{
	char byte = *(const volatile char *)(uintptr_t)addr;

	return pwrite(mem, &byte, 1, (off_t)addr) == 1 ? 0 : -errno;
}

void restore_prepare_forks(struct restore *r)
{
	_cleanup_proc_ struct proc self = PROC_CLOSED;
	_cleanup_maps_ struct maps maps = { 0 };
	_cleanup_close_ int mem = -1;
	uint64_t linker;

	if (r->plan.tree.nr_tasks < WORTH_WRITING || proc_open_self(&self) || maps_read(&self, &maps))
		return;
	mem = open_at(self.dir, "mem", O_RDWR, 0);
	linker = find_linker(&maps);
	for (size_t i = 0; mem >= 0 && i < maps.n; i++)
		if (is_in_use(&maps.v[i], linker) && write_page(mem, maps.v[i].start))
			return;
}
