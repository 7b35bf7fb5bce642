// SPDX-License-Identifier: GPL-2.0-only
/* x86-specific state of an address space: the LDT of modify_ldt(2), entry by entry. */
#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "base/bits.h"
#include "kmem/tasks.h"
#include "memory/dump_memory.h"
#include "memory/memory.h"
#include "memory/restore_memory.h"
#include "pie/wire.h"
#include "run/kind.h"
#include "util/log.h"

_Static_assert(sizeof(struct parasite_ldt) <= TASK_KIND_ARGS, "the space for arguments");

ARRAY_OF(slot_array, struct ldt_slot);

struct memory_arch {
	size_t nr;
	struct ldt_slot slots[];
};

static int read_ldt(struct dump_task *dt, struct slot_array *to)
{
	struct parasite_ldt l = { 0 };
	int err = 0;

	while (!err && l.next < LDT_END) {
		long value;

		err = compel_args_write(dt->ctl, 0, &l, offsetof(struct parasite_ldt, found));
		if (!err)
			err = compel_command(dt->ctl, PARASITE_ARCH, &value);
		if (!err)
			err = value < 0 ? (int)value : compel_args_read(dt->ctl, 0, &l, sizeof(l));
		for (uint32_t i = 0; !err && i < l.nr_found; i++)
			err = array_add(to, l.found[i]);
	}
	return err < 0 ? fail(err, "query the LDT through the parasite: %s", compel_error(dt->ctl)) : 0;
}

int memory_arch_ask(struct dump *dump, struct dump_task *dt)
{
	struct slot_array slots = { 0 };
	struct memory_arch *arch;
	int err;

	if (!dt->mm_owner || !dt->parasite->arch.has_ldt)
		return 0;
	err = read_ldt(dt, &slots);
	arch = err ? NULL : dump_alloc(dump, sizeof(*arch) + slots.n * sizeof(*arch->slots));
	if (arch) {
		arch->nr = slots.n;
		for (size_t i = 0; i < slots.n; i++)
			arch->slots[i] = slots.v[i];
		dt->memory->arch = arch;
	} else if (!err) {
		err = fail(-ENOMEM, "LDT");
	}
	array_free(&slots);
	return err;
}

#define GET_XCOMP_SUPP 0x1021 /* arch_prctl(2) */
#define XCOMP_DYNAMIC BIT(18) /* AMX tile data: needs a permission */

/*
 * Each process has its own permission to use AMX. Kernel memory has it in struct fpu, whose offset differs between
 * kernels: it is used only if it agrees with the donor's answer (ARCH_GET_XCOMP_PERM: its bits among those of
 * ARCH_GET_XCOMP_SUPP). If nothing needs a permission, all processes have the same. Otherwise no process is alike.
 */
bool memory_arch_is_alike(const struct dump_task *donor, bool has_fpu_perm)
{
	static uint64_t supported;
	const uint64_t perm = donor->parasite->arch.xcomp_perm;

	if (donor->parasite->arch.has_ldt)
		return false;
	if (!supported && syscall(SYS_arch_prctl, GET_XCOMP_SUPP, &supported) < 0)
		return !perm; /* before Linux 5.16: no such features */
	if (!((supported | perm) & XCOMP_DYNAMIC))
		return true;
	return has_fpu_perm && (donor->kernel->same.fpu_perm & supported) == perm;
}

int memory_arch_save(struct dump *dump, struct dump_task *dt, MmEntry *mm)
{
	const struct memory_arch *arch = dt->memory->arch;
	LdtEntry *e;

	if (!arch || !arch->nr)
		return 0;
	e = dump_alloc(dump, arch->nr * sizeof(*e));
	mm->ldt = dump_alloc(dump, arch->nr * sizeof(*mm->ldt));
	if (!e || !mm->ldt)
		return fail(-ENOMEM, "LDT");
	for (size_t i = 0; i < arch->nr; i++, e++) {
		ldt_entry__init(e);
		e->index = arch->slots[i].index;
		e->descriptor = arch->slots[i].descriptor;
		mm->ldt[mm->n_ldt++] = e;
	}
	return 0;
}

int memory_arch_load(const struct restore_task *rt)
{
	if (rt->mm->n_ldt > LDT_END)
		return fail(-EBADMSG, "mm-%d.img: %zu entries of the LDT", rt->t.pid, rt->mm->n_ldt);
	return 0;
}

int memory_arch_hand_over(const struct restore_task *rt, struct wire_task *wire)
{
	const MmEntry *mm = rt->mm;
	struct ldt_slot *slots = wire_alloc(wire, mm->n_ldt * sizeof(*slots) + 1);

	if (!slots)
		return fail(-ENOMEM, "LDT");
	wire->arch.ldt = (uintptr_t)slots;
	wire->arch.nr_ldt = mm->n_ldt;
	for (size_t i = 0; i < mm->n_ldt; i++)
		slots[i] = (struct ldt_slot){ .index = mm->ldt[i]->index, .descriptor = mm->ldt[i]->descriptor };
	return 0;
}
