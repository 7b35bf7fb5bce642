/* SPDX-License-Identifier: GPL-2.0-only */
/* Mappings that cannot be saved, or not completely. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include "kernel/device.h"
#include "memory/aio.h"
#include "memory/dump_memory.h"
#include "memory/memory.h"
#include "memory/shmem.h"
#include "util/log.h"

#define FLAG(f) (1ull << (f))
#define ANON_SHMEM "[anon_shmem:" /* Linux 6.2, CONFIG_ANON_VMA_NAME */

static bool special(const struct kernel_vma *v)
{
	return v->name[0] == '[' && strncmp(v->name, "[anon", 5) && strcmp(v->name, "[heap]") &&
	       strcmp(v->name, "[stack]");
}

/* @is_tracked: by us. */
static const char *unsaveable(const struct kernel_vma *v, const struct vma_flags *f, bool is_tracked)
{
	if (f->flags & FLAG(VMF_SS))
		return "a shadow stack: run the program without (GLIBC_TUNABLES=glibc.cpu.hwcaps=-SHSTK)";
	if (f->flags & FLAG(VMF_UI) || (f->flags & FLAG(VMF_UW) && !is_tracked))
		return "memory watched by userfaultfd is not supported";
	/* The kernel's own mappings must be moved at restore. */
	if (special(v) && (f->flags & FLAG(VMF_SL)))
		return "sealed by the kernel (CONFIG_MSEAL_SYSTEM_MAPPINGS): it could not be restored";
	/* Execute-only memory has a protection key assigned by the kernel. */
	if (f->pkey > 0 && v->prot != PROT_EXEC)
		return "memory with a protection key (pkey_mprotect) is not supported";
	if (str_has_prefix(v->name, "anon_inode:[io_uring]") || str_has_prefix(v->name, "socket:["))
		return NULL; /* handled by its kind: memory_mapping_is() */
	if (str_has_prefix(v->name, "anon_inode:"))
		return "memory of a kernel object that is not supported";
	if (str_has_prefix(v->name, "/secretmem"))
		return "memfd_secret memory, which cannot be saved by design";
	if (!strcmp(v->name, "[uprobes]"))
		return "uprobes: remove the probe first (--allow-uprobes is not implemented)";
	if (!special(v) && (f->flags & (FLAG(VMF_IO) | FLAG(VMF_PF))))
		return "memory of a device, which only its driver could save";
	return NULL;
}

/* Locking loads all pages: missing ones have been dropped since (MADV_DONTNEED_LOCKED). */
static bool is_locked_in_part(const struct kernel_vma *v, const struct vma_flags *f)
{
	return (f->flags & FLAG(VMF_LO)) && !(f->flags & FLAG(VMF_LF)) && !v->ino && !v->shared &&
	       (v->prot & PROT_WRITE) && f->rss_kb + f->swap_kb < (v->end - v->start) >> 10;
}

/* Warns about state that is lost without affecting the program. */
static void warn_of(const struct kernel_vma *v, const struct vma_flags *f)
{
	if (str_has_prefix(v->name, ANON_SHMEM))
		log_warn("mapping %lx-%lx: the name of shared memory is not saved (%s)", v->start, v->end, v->name);
	if (f->unknown[0])
		log_warn("mapping %lx-%lx %s: unknown flags are not saved (VmFlags: %s)", v->start, v->end, v->name,
			 f->unknown);
	if (is_locked_in_part(v, f))
		log_warn("mapping %lx-%lx: it is locked, but only %lu kB of it are present; a restore loads all of it",
			 v->start, v->end, f->rss_kb);
}

int memory_survey(struct dump *dump, struct dump_task *dt)
{
	if (dt->maps.n != dt->vma_flags.n)
		return fail(-EBADMSG, "maps has %zu lines, smaps %zu", dt->maps.n, dt->vma_flags.n);
	if (dt->status.untag_mask && ~dt->status.untag_mask)
		dump_blocker(
			dump, dt, -1,
			"uses tagged pointers (ARCH_ENABLE_TAGGED_ADDR: linear address masking), which is not supported");
	for (size_t i = 0; i < dt->maps.n; i++) {
		const struct kernel_vma *v = &dt->maps.v[i];
		bool is_tracked = false;
		const char *why;
		int err = dt->vma_flags.v[i].flags & FLAG(VMF_UW) ? memory_is_tracked(dump, dt, i, &is_tracked) : 0;

		if (err)
			return err;
		why = unsaveable(v, &dt->vma_flags.v[i], is_tracked);
		/* A program that does that itself has a descriptor, which is a blocker that stays. */
		if (dt->vma_flags.v[i].flags & FLAG(VMF_UM))
			dump_transient_blocker(
				dump, dt, -1,
				"mapping %lx-%lx %s: pages are still missing (a lazy restore, userfaultfd)", v->start,
				v->end, v->name);
		if (why)
			dump_blocker(dump, dt, -1, "mapping %lx-%lx %s: %s", v->start, v->end, v->name, why);
		warn_of(v, &dt->vma_flags.v[i]);
		if (v->shared && (dt->vma_flags.v[i].flags & FLAG(VMF_HT))) {
			err = shmem_note_huge(dump, kdev_make(v->dev_major, v->dev_minor), v->ino);

			if (err)
				return err;
		}
	}
	map_count_survey(dt);
	return aio_survey(dump, dt);
}
