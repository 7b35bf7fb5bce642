// SPDX-License-Identifier: GPL-2.0-only
/*
 * Queries kernel state that only the task itself can see. One command per process, one per thread. Rules for code in
 * pie/: no libc, no globals, direct system calls only. It changes nothing in the task, allocates nothing, never blocks;
 * a failed query gives its negative errno.
 */
#include <compel/pie.h>
#include "base/bits.h"
#include "pie/wire.h"
#include "parasite.h"

enum {
	CMD_MEMBARRIER_GET_REGISTRATIONS = 1 << 9,
	GET_PDEATHSIG = 2,
	GET_DUMPABLE = 3,
	GET_SECUREBITS = 27,
	GET_TIMERSLACK = 30,
	GET_CHILD_SUBREAPER = 37,
	GET_TID_ADDRESS = 40,
	GET_THP_DISABLE = 42,
	GET_SPECULATION_CTRL = 52,
	GET_MDWE = 66,
	GET_MEMORY_MERGE = 68,
	FUTEX_HASH = 78, /* Linux 6.16 */
	FUTEX_HASH_GET_SLOTS = 2,
	TIMER_CREATE_RESTORE_IDS = 77,
	RESTORE_IDS_GET = 2,
	KEYRING_ID = 0, /* keyctl(2) */
	THREAD_KEYRING = -1,
	PROCESS_KEYRING = -2,
	SET_REQKEY_KEYRING = 14,
	NO_CHANGE = -1,
	FD_GETFD = 1,
	SIG_KILL = 9,
	SIG_CHLD = 17,
	SIG_STOP = 19,
	WHO_PROCESS = 1,
	CAPABILITY_VERSION = 0x20080522,
	SYS_ADMIN = 21,
	MOUNT_NONSENSE = 1 << 18 | 1 << 20, /* MS_PRIVATE | MS_SHARED */
};

struct timerspec {
	int64_t interval_sec, interval_nsec, value_sec, value_nsec;
};

struct altstack {
	uint64_t sp;
	int32_t flags;
	uint64_t size;
};

/* A prctl that stores an int through its second argument. */
static int32_t prctl_int(int option)
{
	int32_t value = 0;
	long err = sys_prctl(option, (unsigned long)&value, 0, 0, 0);

	return err < 0 ? (int32_t)err : value;
}

static int32_t prctl_value(int option, unsigned long arg)
{
	return (int32_t)sys_prctl(option, arg, 0, 0, 0);
}

static long ask_sigactions(struct parasite_task *t)
{
	for (int sig = 1; sig <= PARASITE_NR_SIG; sig++) {
		struct parasite_sigaction *to = &t->sigactions[sig - 1];
		struct sys_sigaction act = { 0 };

		*to = (struct parasite_sigaction){ 0 };
		/* SIGCHLD's flags (no zombies) matter without a handler, too. */
		if (sig == SIG_KILL || sig == SIG_STOP || (sig != SIG_CHLD && !(t->want_sigactions & BIT(sig - 1))))
			continue;
		long err = sys_rt_sigaction(sig, NULL, &act, sizeof(act.mask));
		if (err < 0)
			return err;
		to->handler = (uint64_t)act.handler;
		to->flags = act.flags;
		to->restorer = (uint64_t)act.restorer;
		to->mask = act.mask;
	}
	return 0;
}

static long ask_timers(struct parasite_task *t)
{
	if (t->nr_timers > PARASITE_MAX_TIMERS)
		return -E_INVAL;
	for (int i = 0; i < 3; i++) {
		long err = sys_getitimer(i, &t->itimers[i]);
		if (err < 0)
			return err;
	}
	long counted = parasite_count_overruns(t);
	if (counted < 0)
		return counted;
	for (uint32_t i = 0; i < t->nr_timers; i++) {
		struct parasite_posix_timer *to = &t->timers[i];
		struct timerspec spec = { 0 };

		long err = sys_timer_gettime(to->id, &spec);
		if (err < 0)
			return err;
		if (!to->signo)
			to->overrun = (int32_t)sys_timer_getoverrun(to->id);
		to->interval_sec = spec.interval_sec;
		to->interval_nsec = spec.interval_nsec;
		to->value_sec = spec.value_sec;
		to->value_nsec = spec.value_nsec;
	}
	return 0;
}

/*
 * keyctl(2) would create one if the process has none, so search for it by its name: a keyring that matches is found
 * where a search starts. User space is not called without callout information.
 */
static int32_t session_keyring(void)
{
	char type[] = "keyring", name[] = "_ses";

	return (int32_t)sys_call4(__NR_request_key, (long)type, (long)name, 0, 0);
}

static long query_task(struct parasite_task *t)
{
	long err = ask_sigactions(t);
	if (err < 0)
		return err;
	err = ask_timers(t);
	if (err < 0)
		return err;
	for (int i = 0; i < PARASITE_NR_RLIMITS; i++) {
		err = sys_prlimit64(0, i, NULL, t->rlimits[i]);
		if (err < 0)
			return err;
	}
	t->brk = (uint64_t)sys_brk(NULL);
	t->dumpable = prctl_value(GET_DUMPABLE, 0);
	t->child_subreaper = prctl_int(GET_CHILD_SUBREAPER);
	t->thp_disabled = prctl_value(GET_THP_DISABLE, 0);
	t->mdwe = prctl_value(GET_MDWE, 0);
	t->memory_merge = prctl_value(GET_MEMORY_MERGE, 0);
	t->futex_slots = prctl_value(FUTEX_HASH, FUTEX_HASH_GET_SLOTS);
	t->membarrier = (int32_t)sys_membarrier(CMD_MEMBARRIER_GET_REGISTRATIONS, 0, 0);
	t->timer_restore_ids = prctl_value(TIMER_CREATE_RESTORE_IDS, RESTORE_IDS_GET);
	t->session_keyring = session_keyring();
	t->mlock_future = parasite_mlock_future(t);
	parasite_arch_task(&t->arch);
	return 0;
}

/*
 * Landlock refuses mount(2) to a task that it restricts in any file system, before the call checks its arguments. These
 * would be refused in any case, with EINVAL.
 */
static int32_t mount_refused(void)
{
	uint32_t header[2] = { CAPABILITY_VERSION, 0 }, sets[2][3] = { 0 };
	char root[] = "/";

	if (sys_call2(__NR_capget, (long)header, (long)sets) < 0 || !(sets[0][0] & BIT(SYS_ADMIN)))
		return 0;
	return sys_call5(__NR_mount, 0, (long)root, 0, MOUNT_NONSENSE, 0) == -E_PERM;
}

static long ask_thread(struct parasite_thread *t)
{
	struct altstack stack = { 0 };

	long err = sys_sigaltstack(NULL, &stack);
	if (err < 0)
		return err;
	t->altstack_sp = stack.sp;
	t->altstack_flags = (uint32_t)stack.flags;
	t->altstack_size = stack.size;
	t->clear_child_tid = 0;
	err = sys_prctl(GET_TID_ADDRESS, (unsigned long)&t->clear_child_tid, 0, 0, 0);
	if (err < 0)
		return err;
	t->pdeath_signal = prctl_int(GET_PDEATHSIG);
	t->securebits = prctl_value(GET_SECUREBITS, 0);
	t->timer_slack_ns = (uint64_t)sys_prctl(GET_TIMERSLACK, 0, 0, 0, 0);
	t->spec_store_bypass = prctl_value(GET_SPECULATION_CTRL, 0);
	t->spec_indirect_branch = prctl_value(GET_SPECULATION_CTRL, 1);
	t->spec_l1d_flush = prctl_value(GET_SPECULATION_CTRL, 2);
	t->ioprio = (int32_t)sys_call2(__NR_ioprio_get, WHO_PROCESS, 0);
	parasite_arch_thread(&t->arch);
	t->thread_keyring = (int32_t)sys_call3(__NR_keyctl, KEYRING_ID, THREAD_KEYRING, 0);
	t->process_keyring = (int32_t)sys_call3(__NR_keyctl, KEYRING_ID, PROCESS_KEYRING, 0);
	t->mount_refused = mount_refused();
	t->personality = (uint32_t)sys_call1(__NR_personality, 0xffffffff);
	t->reqkey_keyring = (int32_t)sys_call2(__NR_keyctl, SET_REQKEY_KEYRING, NO_CHANGE);
	parasite_policy(&t->policy);
	return 0;
}

static long ask_next_thread(struct parasite_threads *t)
{
	return t->nr < t->room ? ask_thread(&t->threads[t->nr++]) : -E_INVAL;
}

static void ask_fds(struct parasite_fds *f)
{
	for (uint32_t i = 0; i < f->nr; i++)
		f->fds[i] = (int32_t)sys_fcntl(f->fds[i], FD_GETFD, 0);
}

static long visit(struct parasite_visit *v)
{
	char *here = (char *)v;

	long err = query_task((struct parasite_task *)(here + v->task));
	if (err >= 0)
		err = ask_thread((struct parasite_thread *)(here + v->thread));
	if (err < 0)
		return err;
	ask_fds((struct parasite_fds *)(here + v->fds));
	parasite_policies((struct parasite_policy_list *)(here + v->policies));
	return 0;
}

static long more_policies(struct parasite_visit *v)
{
	parasite_policies((struct parasite_policy_list *)((char *)v + v->policies));
	return 0;
}

unsigned long blob_entry(unsigned int command, void *args);
unsigned long blob_entry(unsigned int command, void *args)
{
	if (command == PARASITE_VISIT)
		return (unsigned long)visit(args);
	if (command == PARASITE_THREAD)
		return (unsigned long)ask_next_thread(args);
	if (command == PARASITE_FORK)
		return (unsigned long)parasite_fork(args);
	if (command == PARASITE_POLICIES)
		return (unsigned long)more_policies(args);
	if (command == PARASITE_ARCH)
		return (unsigned long)parasite_arch_command(args);
	if (command == PARASITE_REAP)
		return (unsigned long)parasite_reap(args);
	if (command == PARASITE_UFFD)
		return (unsigned long)parasite_uffd(args);
	return (unsigned long)-E_INVAL;
}
