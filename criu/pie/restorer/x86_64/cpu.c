// SPDX-License-Identifier: GPL-2.0-only
/* Inside a task: no libc, no globals, direct system calls only. LDT, TLS entries, TSC and CPUID of x86. */
#include <compel/pie.h>
#include <asm/ldt.h>
#include <asm/prctl.h>
#include <sys/mman.h>
#include "pie/restorer/core.h"
#include "pie/restorer/restorer.h"

enum {
	SET_TSC = 26, /* prctl(2) */
	SET_CPUID = 0x1012, /* arch_prctl(2) */
	SET_THREAD_AREA_32 = 243,
	LOW_LEN = 4096,
	WRITE_LDT = 0x11, /* modify_ldt(2) */
};

static long arch_prctl(int option, unsigned long value)
{
	return sys_call2(__NR_arch_prctl, option, (long)value);
}

/* The call belongs to 32-bit programs: made through int 0x80, with an argument below 4G. */
static long set_thread_area32(void *desc)
{
	long ret;

	__asm__ volatile("int $0x80"
			 : "=a"(ret)
			 : "a"(SET_THREAD_AREA_32), "b"(desc)
			 : "memory", "r8", "r9", "r10", "r11");
	return (int32_t)ret;
}

int arch_restore_early(struct wire_thread *thread)
{
	long err = 0;

	if (!thread->arch.nr_tls)
		return 0;
	char *low =
		(char *)sys_mmap(NULL, LOW_LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	if ((long)low < 0 && (long)low > -LOW_LEN)
		return restorer_fail(task_of(thread), (long)low, "memory below 4G for TLS entries");
	for (uint32_t i = 0; i < thread->arch.nr_tls && !err; i++) {
		memcpy(low, thread->arch.tls[i], sizeof(thread->arch.tls[i]));
		err = set_thread_area32(low);
		if (err < 0)
			restorer_fail_nr(task_of(thread), err, "set the TLS entry", thread->arch.tls[i][0]);
	}
	sys_munmap(low, LOW_LEN);
	return (int)err;
}

/* Bits of a segment descriptor: see the CPU's manuals; their use by modify_ldt(2): fill_ldt() of the kernel. */
static struct user_desc as_user_desc(const struct ldt_slot *e)
{
	uint64_t d = e->descriptor;

	return (struct user_desc){
		.entry_number = e->index,
		.base_addr = (uint32_t)(d >> 16 & 0xffffff) | (uint32_t)(d >> 56) << 24,
		.limit = (uint32_t)(d & 0xffff) | (uint32_t)(d >> 48 & 0xf) << 16,
		.read_exec_only = !(d >> 41 & 1),
		.contents = d >> 42 & 3,
		.seg_not_present = !(d >> 47 & 1),
		.useable = d >> 52 & 1,
		.seg_32bit = d >> 54 & 1,
		.limit_in_pages = d >> 55 & 1,
	};
}

int arch_restore_memory(struct wire_task *task)
{
	const struct ldt_slot *e = (const struct ldt_slot *)task->arch.ldt;

	for (uint32_t i = 0; i < task->arch.nr_ldt; i++) {
		struct user_desc desc = as_user_desc(&e[i]);
		/* An int for the kernel, whatever the register contains. */
		long err = (int)sys_call3(__NR_modify_ldt, WRITE_LDT, (long)&desc, sizeof(desc));

		if (err)
			return restorer_fail_nr(task, err, "create the LDT entry (modify_ldt)", (long)e[i].index);
	}
	return 0;
}

int arch_restore_late(struct wire_thread *thread)
{
	long err = 0;

	if (thread->arch.cpuid_allowed == 0)
		err = arch_prctl(SET_CPUID, 0);
	if (err < 0)
		return restorer_fail(task_of(thread), err, "make the CPUID instruction fault");
	if (thread->arch.tsc_mode)
		err = sys_prctl(SET_TSC, (unsigned long)thread->arch.tsc_mode, 0, 0, 0);
	return err < 0 ? restorer_fail(task_of(thread), err, "set the TSC mode") : 0;
}

void arch_set_bases(const struct wire_thread *thread)
{
	arch_prctl(ARCH_SET_GS, thread->arch.gs_base);
	arch_prctl(ARCH_SET_FS, thread->arch.fs_base);
}
