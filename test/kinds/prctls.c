// SPDX-License-Identifier: GPL-2.0-only
/*
 * All state set by PR_SET_* and shown by PR_GET_*; the parent-death signal comes from the right parent. Per-thread
 * state set by prctl(2) and others: machine checks, the time stamp counter, CPUID, speculation, membarrier.
 * test: flavours=host,user,owned breaks=3
 */
#include "checkpoint.h"
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#ifndef PR_FUTEX_HASH
#define PR_FUTEX_HASH 78 /* Linux 6.16 */
#endif
#define THP_DISABLE_EXCEPT_ADVISED 2 /* Linux 6.18 */
#ifndef PR_SET_MDWE
#define PR_SET_MDWE 65
#define PR_GET_MDWE 66
#endif
#ifndef PR_SET_MEMORY_MERGE
#define PR_SET_MEMORY_MERGE 67
#define PR_GET_MEMORY_MERGE 68
#endif

static volatile sig_atomic_t got;

static void on_usr1(int sig)
{
	got++;
}

struct value {
	const char *name;
	int get;
	bool by_pointer;
};

static struct value values[] = {
	{ "pdeathsig", PR_GET_PDEATHSIG, true },
	{ "dumpable", PR_GET_DUMPABLE, false },
	{ "keepcaps", PR_GET_KEEPCAPS, false },
	{ "timing", PR_GET_TIMING, false },
	{ "tsc", PR_GET_TSC, true },
	{ "securebits", PR_GET_SECUREBITS, false },
	{ "timerslack", PR_GET_TIMERSLACK, false },
	{ "mce kill", PR_MCE_KILL_GET, false },
	{ "subreaper", PR_GET_CHILD_SUBREAPER, true },
	{ "no_new_privs", PR_GET_NO_NEW_PRIVS, false },
	{ "thp disable", PR_GET_THP_DISABLE, false },
	{ "mdwe", PR_GET_MDWE, false },
	{ "memory merge", PR_GET_MEMORY_MERGE, false },
	{ "slots of the futex table", PR_FUTEX_HASH, false },
	{ "io flusher", PR_GET_IO_FLUSHER, false },
};

#define COUNT ((int)(sizeof(values) / sizeof(values[0])))

static void show(int *out)
{
	for (int i = 0; i < COUNT; i++) {
		int value = 0;

		if (values[i].by_pointer)
			out[i] = prctl(values[i].get, &value, 0, 0, 0) ? -1 : value;
		else
			out[i] = prctl(values[i].get, values[i].get == PR_FUTEX_HASH ? 2 : 0, 0, 0, 0);
	}
}

static int verify(const char *name)
{
	int before[COUNT], after[COUNT];
	char comm[16] = "";

	prctl(PR_SET_NAME, name);
	show(before);
	checkpoint_task(name, 0);
	if (test_break() == 1)
		prctl(PR_SET_TIMERSLACK, 123456);
	show(after);
	for (int i = 0; i < COUNT; i++)
		check(before[i] == after[i], "%s: %s is %d, was %d", name, values[i].name, after[i], before[i]);
	prctl(PR_GET_NAME, comm);
	check(!strcmp(comm, name), "name %s was %s", comm, name);
	return 0;
}

static int defaults(void *arg)
{
	return verify("defaults");
}

static int changed(void *arg)
{
	prctl(PR_SET_KEEPCAPS, 1);
	prctl(PR_SET_TIMERSLACK, 98765);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
	prctl(PR_SET_PDEATHSIG, SIGUSR2);
	return verify("changed");
}

static int changed_more(void *arg)
{
	prctl(PR_SET_MEMORY_MERGE, 1, 0, 0, 0);
	prctl(PR_SET_THP_DISABLE, 1, THP_DISABLE_EXCEPT_ADVISED, 0, 0);
	prctl(PR_FUTEX_HASH, 1, 64, 0, 0);
	prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0);
	prctl(PR_SET_MDWE, 1, 0, 0, 0);
	return verify("more (x) y"); /* a name that breaks careless parsers of /proc/PID/stat */
}

#define ARCH_GET_CPUID 0x1011
#define ARCH_SET_CPUID 0x1012
#define MEMBARRIER_REGISTER_EXPEDITED (1 << 4)
#define MEMBARRIER_GET_REGISTRATIONS (1 << 9)
#define SPEC_STORE_BYPASS 0
#define SPEC_L1D_FLUSH 2
#define SPEC_FORCE_DISABLE (1 << 3)
#define SPEC_DISABLE (1 << 2)

struct rare {
	long cpuid, registrations, store_bypass, l1d_flush;
};

static struct rare show_rare(void)
{
	return (struct rare){ syscall(SYS_arch_prctl, ARCH_GET_CPUID, 0),
			      syscall(SYS_membarrier, MEMBARRIER_GET_REGISTRATIONS, 0, 0),
			      prctl(PR_GET_SPECULATION_CTRL, SPEC_STORE_BYPASS, 0, 0, 0),
			      prctl(PR_GET_SPECULATION_CTRL, SPEC_L1D_FLUSH, 0, 0, 0) };
}

/* State that the machine does not support remains unset. */
static int rare(void *arg)
{
	struct rare before, after;

	prctl(PR_MCE_KILL, PR_MCE_KILL_SET, PR_MCE_KILL_EARLY, 0, 0);
	need(!syscall(SYS_membarrier, MEMBARRIER_REGISTER_EXPEDITED, 0, 0), "membarrier: %m");
	prctl(PR_SET_SPECULATION_CTRL, SPEC_STORE_BYPASS, SPEC_DISABLE, 0, 0);
	prctl(PR_SET_SPECULATION_CTRL, SPEC_L1D_FLUSH, SPEC_DISABLE, 0, 0);
	syscall(SYS_arch_prctl, ARCH_SET_CPUID, 0);
	before = show_rare();
	verify("rare");
	if (test_break() == 3)
		prctl(PR_MCE_KILL, PR_MCE_KILL_SET, PR_MCE_KILL_LATE, 0, 0);
	after = show_rare();
	check(!memcmp(&before, &after, sizeof(before)),
	      "CPUID %ld, membarrier %#lx, speculation %#lx %#lx; were %ld, %#lx, %#lx %#lx", after.cpuid,
	      after.registrations, after.store_bypass, after.l1d_flush, before.cpuid, before.registrations,
	      before.store_bypass, before.l1d_flush);
	check(prctl(PR_MCE_KILL_GET, 0, 0, 0, 0) == PR_MCE_KILL_EARLY, "machine checks: %d",
	      prctl(PR_MCE_KILL_GET, 0, 0, 0, 0));
	return 0;
}

/* Nothing here may query the time: the vDSO reads the counter. */
static int no_counter(void *arg)
{
	need(!prctl(PR_SET_TSC, PR_TSC_SIGSEGV, 0, 0, 0), "PR_SET_TSC: %m");
	return verify("no counter");
}

static int orphan(void *arg)
{
	signal(SIGUSR1, on_usr1);
	prctl(PR_SET_PDEATHSIG, SIGUSR1);
	checkpoint_task("orphan", 0);
	if (test_break() == 2)
		prctl(PR_SET_PDEATHSIG, 0);
	task_ready("orphan continues");
	for (int i = 0; i < 3000 && !got; i++)
		sleep_ms(1);
	check(got == 1, "%d parent-death signals", (int)got);
	return 0;
}

static int parent(void *arg)
{
	fork_task(orphan, NULL);
	await_task("orphan");
	checkpoint_task("parent", 0);
	await_task("orphan continues");
	return 0;
}

int main(int argc, char **argv)
{
	int (*fn[])(void *) = { defaults, changed, changed_more, parent, rare, no_counter };
	const char *names[] = { "defaults", "changed", "more (x) y", "parent", "rare", "no counter" };
	pid_t pids[6];

	test_init(argc, argv);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	for (int i = 0; i < 6; i++)
		pids[i] = fork_task(fn[i], NULL);
	for (int i = 0; i < 6; i++)
		await_task(names[i]);
	checkpoint_here();
	for (int i = 0; i < 6; i++)
		join_task(pids[i]);
	join_task(-1);
	test_done();
}
