// SPDX-License-Identifier: GPL-2.0-only
/* Inside the task: no libc, no globals, direct system calls only. The vDSO must not be called here. */
#include <compel/pie.h>
#include <errno.h>
#include <linux/mman.h>
#include "pie/restorer/vdso.h"

/* The kernel handles mremap of the vDSO, if whole special mappings are moved. */
static int move(uint64_t from, uint64_t len, uint64_t to)
{
	long at;

	if (from == to)
		return 0;
	at = sys_mremap((void *)(uintptr_t)from, len, len, MREMAP_MAYMOVE | MREMAP_FIXED, (void *)(uintptr_t)to);
	return at == (long)to ? 0 : at < 0 ? (int)at : -EFAULT;
}

/* Where @part is kept while the old parts are still in the way of the new ones. */
static uint64_t waiting_place(const struct wire_task *task, const struct wire_vdso_part *part)
{
	return task->vdso_detour ? task->vdso_detour + (part->now - task->vdso_parts[0].now) : part->now;
}

/* Adjacent mappings, which stay adjacent: since Linux 6.17 one call moves them. Older kernels have moved nothing then. */
static bool moved_at_once(const struct wire_task *task)
{
	const struct wire_vdso_part *first = task->vdso_parts, *part, *last = first + task->nr_vdso_parts - 1;

	if (task->nr_vdso_parts < 2 || task->vdso_detour || !first->then)
		return false;
	for (part = first; part < last; part++)
		if (part[1].now != part->now + part->len || part[1].then != part->then + part->len)
			return false;
	return !move(first->now, last->now + last->len - first->now, first->then);
}

int vdso_move(const struct wire_task *task)
{
	const struct wire_vdso_part *part, *end = task->vdso_parts + task->nr_vdso_parts;
	bool moved = moved_at_once(task);
	int err = 0;

	for (part = task->vdso_parts; !err && part < end; part++) {
		if (!part->then)
			err = (int)sys_munmap((void *)(uintptr_t)part->now, part->len);
		else if (task->vdso_detour)
			err = move(part->now, part->len, waiting_place(task, part));
	}
	for (part = task->vdso_parts; !err && part < end; part++) {
		if (!part->then)
			continue;
		err = moved ? 0 : move(waiting_place(task, part), part->len, part->then);
		if (!err && part->prot != part->prot_now)
			err = (int)sys_mprotect((void *)(uintptr_t)part->then, part->len, (int)part->prot);
	}
	return err;
}

int vdso_patch(const struct wire_task *task)
{
	const struct wire_vdso_patch *patch = (const struct wire_vdso_patch *)(uintptr_t)task->vdso_patches;
	void *old = (void *)(uintptr_t)task->vdso_old.start;
	size_t len = task->vdso_old.end - task->vdso_old.start;
	int err;

	if (!task->nr_vdso_patches)
		return 0;
	err = (int)sys_mprotect(old, len, PROT_READ | PROT_WRITE);
	if (err)
		return err;
	for (size_t i = 0; i < task->nr_vdso_patches; i++)
		memcpy((void *)(uintptr_t)patch[i].at, patch[i].code, patch[i].len);
	return (int)sys_mprotect(old, len, (int)task->vdso_old_prot);
}
