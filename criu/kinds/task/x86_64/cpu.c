// SPDX-License-Identifier: GPL-2.0-only
/* thread_info: registers, x87 to AVX-512 state, TLS entries, the address at which the kernel clears the tid. */
#include <asm/ldt.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/bits.h"
#include "kinds/kinds.h"
#include "kinds/task/core_image.h"
#include "run/dump.h"
#include "run/restore.h"
#include "util/log.h"
#include "xsave.h"

enum {
	CS_USER64 = 0x33,
	SS_USER = 0x2b,
	REGSET_SHADOW_STACK = 0x204, /* NT_X86_SHSTK */
	FIRST_TLS_ENTRY = 12,
	NR_TLS = 3,
	TSC_ENABLED = 1, /* PR_GET_TSC */
	TSC_SIGSEGV = 2,
	REQ_XCOMP_PERM = 0x1023,
	/* Values of ax when a system call is to be restarted: include/linux/errno.h of the kernel. */
	ERESTARTSYS_NR = 512,
	ERESTARTNOINTR_NR = 513,
	ERESTARTNOHAND_NR = 514,
	ERESTART_RESTARTBLOCK_NR = 516,
};
#define GET_THREAD_AREA ((enum __ptrace_request)25) /* PTRACE_GET_THREAD_AREA */
#define XCOMP_DYNAMIC BIT(18) /* AMX tile data: needs a permission */
#define ADDRESS_END (1ull << 56)

/* Fields of the same name in struct compel_regs and UserX86RegsEntry. */
/* clang-format off */
#define FOR_REGS(X)                                                                       \
	X(r15) X(r14) X(r13) X(r12) X(bp) X(bx) X(r11) X(r10) X(r9) X(r8) X(ax) X(cx) X(dx) X(si) X(di) \
	X(orig_ax) X(ip) X(cs) X(flags) X(sp) X(ss) X(fs_base) X(gs_base) X(ds) X(es) X(fs) X(gs)
/* clang-format on */

CoreEntry__March core_march(void)
{
	return CORE_ENTRY__MARCH__X86_64;
}

bool core_has_registers(const CoreEntry *core)
{
	return core->thread_info != NULL;
}

/* ---- dump ---- */

/* EINVAL: not supported by this kernel, for any thread. */
static bool has_shadow_stack(struct dump *dump, pid_t tid)
{
	void **none = dump_kind_data(dump, &cpu_kind);
	uint64_t ssp;
	struct iovec iov = { &ssp, sizeof(ssp) };

	if (*none)
		return false;
	if (!ptrace(PTRACE_GETREGSET, tid, REGSET_SHADOW_STACK, &iov))
		return true;
	if (errno == EINVAL)
		*none = dump;
	return false;
}

static int cpu_survey(struct dump *dump, struct dump_task *task)
{
	char names[256];

	for (size_t i = 0; i < task->nr_threads; i++) {
		const struct dump_thread *th = &task->threads[i];
		uint64_t unknown = xsave_in_use(th->cpu.xsave, th->cpu.xsave_len) & ~xsave_known();

		if (unknown)
			dump_blocker(dump, task, -1, "thread %d: uses %s, which images cannot store", th->id.host_tid,
				     xsave_names(unknown, names, sizeof(names)));
		if (has_shadow_stack(dump, th->id.host_tid))
			dump_blocker(dump, task, -1,
				     "thread %d: uses a shadow stack, which is not supported: start the program with "
				     "GLIBC_TUNABLES=glibc.cpu.x86_shstk=off",
				     th->id.host_tid);
	}
	return 0;
}

static int cpu_save(struct dump *dump, struct dump_task *task, CoreEntry *core)
{
	if (task->parasite && (task->parasite->arch.xcomp_perm & XCOMP_DYNAMIC)) {
		core->tc->has_x86_xcomp_perm = true;
		core->tc->x86_xcomp_perm = task->parasite->arch.xcomp_perm;
	}
	return 0;
}

static void *alloc_in_dump(void *dump, size_t size)
{
	return dump_alloc(dump, size);
}

static UserX86RegsEntry *save_regs(struct dump *dump, const struct compel_regs *r)
{
	UserX86RegsEntry *e = dump_alloc(dump, sizeof(*e));

	if (!e)
		return NULL;
	user_x86_regs_entry__init(e);
#define X(name) e->name = r->name;
	FOR_REGS(X)
#undef X
	e->has_mode = true;
	e->mode = USER_X86_REGS_MODE__NATIVE;
	return e;
}

static bool has_no_tls(const struct dump_thread *thread)
{
	const struct kernel_thread *k = thread->kernel;

	return k && !k->tls[0] && !k->tls[1] && !k->tls[2];
}

/* Only programs that make 32-bit system calls have any; the image always contains the three entries. */
static int save_tls(struct dump *dump, const struct dump_thread *thread, ThreadInfoX86 *ti)
{
	const bool none = has_no_tls(thread);

	ti->tls = dump_alloc(dump, NR_TLS * sizeof(*ti->tls));
	if (!ti->tls)
		return -ENOMEM;
	for (unsigned long i = 0; i < NR_TLS; i++) {
		struct user_desc desc = { .read_exec_only = 1, .seg_not_present = 1 };
		UserDescT *t = dump_alloc(dump, sizeof(*t));

		if (!t)
			return -ENOMEM;
		/* A kernel without 32-bit support has no such call: then the entry is empty. */
		if (!none)
			ptrace(GET_THREAD_AREA, thread->id.host_tid, (void *)(FIRST_TLS_ENTRY + i), &desc);
		user_desc_t__init(t);
		t->entry_number = FIRST_TLS_ENTRY + (uint32_t)i;
		t->base_addr = desc.base_addr;
		t->limit = desc.limit;
		t->seg_32bit = desc.seg_32bit;
		t->contents_l = desc.contents & 1;
		t->contents_h = desc.contents >> 1;
		t->read_exec_only = desc.read_exec_only;
		t->limit_in_pages = desc.limit_in_pages;
		t->seg_not_present = desc.seg_not_present;
		t->usable = desc.useable;
		ti->tls[ti->n_tls++] = t;
	}
	return 0;
}

static void save_faults(const struct parasite_arch_thread *in, ThreadCoreEntry *e)
{
	e->has_tsc_mode = in->tsc_mode == TSC_SIGSEGV;
	e->tsc_mode = e->has_tsc_mode ? TSC_SIGSEGV : 0;
	e->has_x86_cpuid_fault = e->x86_cpuid_fault = in->cpuid_allowed == 0;
}

static int cpu_save_thread(struct dump *dump, struct dump_task *task, struct dump_thread *thread, CoreEntry *core)
{
	ThreadInfoX86 *ti = dump_alloc(dump, sizeof(*ti));
	UserX86FpregsEntry *fp = dump_alloc(dump, sizeof(*fp));

	if (!ti || !fp)
		return no_memory("registers");
	thread_info_x86__init(ti);
	user_x86_fpregs_entry__init(fp);
	ti->gpregs = save_regs(dump, &thread->cpu.regs);
	if (!ti->gpregs)
		return no_memory("registers");
	int err = xsave_to_entry(thread->cpu.xsave, thread->cpu.xsave_len, alloc_in_dump, dump, fp);
	if (err)
		return fail(err, "thread %d: floating point state of %zu bytes", thread->id.host_tid,
			    thread->cpu.xsave_len);
	ti->fpregs = fp;
	ti->clear_tid_addr = thread->parasite.clear_child_tid;
	if (save_tls(dump, thread, ti))
		return no_memory("TLS entries");
	save_faults(&thread->parasite.arch, core->thread_core);
	core->thread_info = ti;
	return 0;
}

/* ---- restore ---- */

/* Zero or a ring 3 selector: others are rejected by ptrace(2). */
static bool selector_ok(uint64_t v)
{
	return v <= UINT16_MAX && (!v || (v & 3) == 3);
}

/*
 * For a system call that is to be restarted, CRIU's registers issue it again, with its number in both ax and orig_ax. They
 * do not contain what is to happen if a signal comes first (restart_code), but most calls always return the same code.
 * Registers that still request the restart are accepted as well.
 */
static void settle_syscall(struct compel_thread_state *cpu)
{
	struct compel_regs *r = &cpu->regs;
	int64_t nr = (int64_t)r->orig_ax;
	int code = 0;

	r->orig_ax = -1;
	if (nr < 0)
		return;
	switch (-(int64_t)r->ax) {
	case ERESTARTSYS_NR:
	case ERESTARTNOINTR_NR:
	case ERESTARTNOHAND_NR:
		code = -(int)r->ax;
		r->ip -= 2;
		r->ax = nr;
		compel_set_restart(cpu, nr, code);
		break;
	case ERESTART_RESTARTBLOCK_NR:
		r->ax = -EINTR;
		break;
	default:
		compel_guess_restart(cpu, nr);
	}
}

static int load_regs(pid_t tid, const UserX86RegsEntry *e, struct compel_thread_state *cpu)
{
	struct compel_regs *r = &cpu->regs;

	if (e->has_mode && e->mode != USER_X86_REGS_MODE__NATIVE)
		return core_refuse(tid, "gpregs.mode: 32-bit programs are not supported");
	if (e->cs != CS_USER64 || e->ss != SS_USER)
		return core_refuse(tid, "gpregs: cs 0x%lx, ss 0x%lx are not those of a 64-bit program", e->cs, e->ss);
	if (!selector_ok(e->ds) || !selector_ok(e->es) || !selector_ok(e->fs) || !selector_ok(e->gs))
		return core_refuse(tid, "gpregs: ds, es, fs or gs is not a user-mode selector");
	if (e->fs_base >= ADDRESS_END || e->gs_base >= ADDRESS_END)
		return core_refuse(tid, "gpregs: fs_base or gs_base is not a user address");
#define X(name) r->name = e->name;
	FOR_REGS(X)
#undef X
	settle_syscall(cpu);
	return 0;
}

/* A non-present entry is the default of a new thread. */
static bool is_empty(const UserDescT *t)
{
	return t->seg_not_present && !t->usable && !t->base_addr && !t->limit;
}

/*
 * Only 32-bit system calls set TLS entries. If they are disabled (ia32_emulation=0), int 0x80 faults: so a child tries.
 */
static bool has_ia32_calls(void)
{
	enum { GETPID_32 = 20 };
	int status = 0;
	pid_t pid = fork();

	if (!pid) {
		struct sigaction standard = { .sa_handler = SIG_DFL };
		long nr = GETPID_32;

		sigaction(SIGSEGV, &standard, NULL);
		prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); /* leaves no core file */
		__asm__ volatile("int $0x80" : "+a"(nr) : : "memory", "r8", "r9", "r10", "r11");
		_exit(nr == getpid() ? 0 : 1);
	}
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return pid > 0 && WIFEXITED(status) && !WEXITSTATUS(status);
}

static int check_tls(pid_t tid, const ThreadInfoX86 *ti)
{
	bool any = false;

	if (ti->n_tls > NR_TLS)
		return core_refuse(tid, "thread_info.tls: %zu entries, expected %d", ti->n_tls, NR_TLS);
	for (size_t i = 0; i < ti->n_tls; i++) {
		uint32_t nr = ti->tls[i]->entry_number;

		if (nr < FIRST_TLS_ENTRY || nr >= FIRST_TLS_ENTRY + NR_TLS)
			return core_refuse(tid, "thread_info.tls: invalid entry %u", nr);
		any |= !is_empty(ti->tls[i]);
	}
	if (any && !has_ia32_calls())
		return core_refuse(
			tid, "the thread has TLS entries of set_thread_area(2), and this kernel has no 32-bit system "
			     "calls to set them: boot it with ia32_emulation=1");
	return 0;
}

static void *alloc_in_restore(void *r, size_t size)
{
	return restore_alloc(r, size);
}

static int cpu_load_thread(struct restore *r, struct restore_task *task, struct restore_thread *thread)
{
	const ThreadInfoX86 *ti = thread->core->thread_info;
	const ThreadCoreEntry *e = thread->core->thread_core;
	pid_t tid = thread->id.tid;
	int strict = !!(r->opts->cpu_cap & (CPU_CAP_FPU | CPU_CAP_INS));
	char why[512];

	if (e->has_tsc_mode && e->tsc_mode != TSC_ENABLED && e->tsc_mode != TSC_SIGSEGV)
		return core_refuse(tid, "thread_core.tsc_mode %u", e->tsc_mode);
	int err = load_regs(tid, ti->gpregs, &thread->cpu);
	if (err)
		return err;
	err = xsave_check_entry(ti->fpregs, strict, why, sizeof(why));
	if (err)
		return fail(err, "core-%d.img: %s", tid, why);
	err = check_tls(tid, ti);
	if (err)
		return err;
	err = xsave_from_entry(ti->fpregs, alloc_in_restore, r, &thread->cpu.xsave, &thread->cpu.xsave_len);
	return err ? fail(err, "floating point state") : 0;
}

static int cpu_apply(struct restore *r, struct restore_task *task)
{
	const TaskCoreEntry *tc = task->core->tc;

	if (!tc || !tc->has_x86_xcomp_perm || !(tc->x86_xcomp_perm & XCOMP_DYNAMIC))
		return 0;
	if (syscall(SYS_arch_prctl, REQ_XCOMP_PERM, 18ul) < 0)
		return fail(-errno, "the program uses AMX tile data, which this CPU or kernel does not permit");
	return 0;
}

static void hand_over_tls(const ThreadInfoX86 *ti, struct wire_arch_thread *wire)
{
	for (size_t i = 0; i < ti->n_tls; i++) {
		const UserDescT *t = ti->tls[i];
		uint32_t *to = wire->tls[wire->nr_tls];

		if (is_empty(t))
			continue;
		to[0] = t->entry_number;
		to[1] = t->base_addr;
		to[2] = t->limit;
		to[3] = t->seg_32bit | (uint32_t)t->contents_l << 1 | (uint32_t)t->contents_h << 2 |
			(uint32_t)t->read_exec_only << 3 | (uint32_t)t->limit_in_pages << 4 |
			(uint32_t)t->seg_not_present << 5 | (uint32_t)t->usable << 6;
		wire->nr_tls++;
	}
}

static int cpu_hand_over_thread(struct restore *r, struct restore_task *task, struct restore_thread *thread,
				struct wire_thread *wire)
{
	const ThreadInfoX86 *ti = thread->core->thread_info;
	const ThreadCoreEntry *e = thread->core->thread_core;

	wire->clear_child_tid = ti->clear_tid_addr;
	wire->arch = (struct wire_arch_thread){
		.fs_base = thread->cpu.regs.fs_base,
		.gs_base = thread->cpu.regs.gs_base,
		.tsc_mode = e->has_tsc_mode ? (int32_t)e->tsc_mode : 0,
		.cpuid_allowed = !(e->has_x86_cpuid_fault && e->x86_cpuid_fault),
	};
	hand_over_tls(ti, &wire->arch);
	return 0;
}

const struct task_kind cpu_kind = {
	.name = "cpu",
	.survey = cpu_survey,
	.save = cpu_save,
	.save_thread = cpu_save_thread,
	.load_thread = cpu_load_thread,
	.apply = cpu_apply,
	.hand_over_thread = cpu_hand_over_thread,
};
