// SPDX-License-Identifier: GPL-2.0-only
/*
 * Threads whose seccomp filter allows their wait, but rejects restart_syscall(2), in all the ways in which a filter can
 * do that. They survive; a wait for an event continues, a wait with a timeout returns EINTR at worst. If
 * restart_syscall is allowed, nothing is noticeable at all.
 * test: breaks=1 timeout=60
 */
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include "checkpoint.h"

#define LIMIT_MS 4000L
#define OFFSET(field) ((unsigned int)offsetof(struct seccomp_data, field))

static struct timespec limit = { LIMIT_MS / 1000, 0 }, until;
static struct pollfd silent = { .events = POLLIN };
static uint32_t word = 7, all_done;
static volatile int trapped;
static double begin;

enum what { FOR_EVENT, FOR_TIME, UNTIL };
static const struct {
	const char *name;
	enum what what;
	long nr, args[6], result;
} waits[] = {
	{ "poll forever", FOR_EVENT, SYS_poll, { (long)&silent, 1, -1 }, 1 },
	{ "read", FOR_EVENT, SYS_read, { -1 }, -1 },
	{ "poll", FOR_TIME, SYS_poll, { 0, 0, LIMIT_MS }, 0 },
	{ "nanosleep", FOR_TIME, SYS_nanosleep, { (long)&limit }, 0 },
	{ "futex", FOR_TIME, SYS_futex, { (long)&word, FUTEX_WAIT_PRIVATE, 7, (long)&limit }, -ETIMEDOUT },
	{ "futex until",
	  UNTIL,
	  SYS_futex,
	  { (long)&word, FUTEX_WAIT_BITSET_PRIVATE, 7, (long)&until, 0, -1 },
	  -ETIMEDOUT },
};
static const struct {
	const char *name;
	uint32_t action;
} sandboxes[] = {
	{ "kill process", SECCOMP_RET_KILL_PROCESS },
	{ "kill thread", SECCOMP_RET_KILL_THREAD },
	{ "trap", SECCOMP_RET_TRAP },
	{ "errno", SECCOMP_RET_ERRNO | 77 },
	{ "trace", SECCOMP_RET_TRACE },
	{ "notify", SECCOMP_RET_USER_NOTIF },
	{ "log", SECCOMP_RET_LOG },
	{ "allow", SECCOMP_RET_ALLOW },
};
#define NR_WAITS (sizeof(waits) / sizeof(*waits))
#define NR_SANDBOXES (sizeof(sandboxes) / sizeof(*sandboxes))

static struct call {
	size_t wait, sandbox;
	pid_t tid;
	bool done;
	long got;
	double end;
} calls[NR_SANDBOXES][NR_WAITS];

/*
 * Computed in a way that an interpreter of filters has to get right: 219 from the syscall number by way of index,
 * memory and shifts; twice, the second filter allows it.
 */
static void enter_sandbox(uint32_t action)
{
	struct sock_filter insns[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, OFFSET(arch)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, OFFSET(nr)),
		BPF_STMT(BPF_ALU | BPF_LSH | BPF_K, 3),
		BPF_STMT(BPF_ST, 5),
		BPF_STMT(BPF_LDX | BPF_IMM, SYS_restart_syscall),
		BPF_STMT(BPF_MISC | BPF_TXA, 0),
		BPF_STMT(BPF_ALU | BPF_MUL | BPF_K, 8),
		BPF_STMT(BPF_MISC | BPF_TAX, 0),
		BPF_STMT(BPF_LD | BPF_MEM, 5),
		BPF_STMT(BPF_ALU | BPF_SUB | BPF_X, 0),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, ~0u, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_LD | BPF_IMM, action),
		BPF_STMT(BPF_RET | BPF_A, 0),
	};
	struct sock_filter no_more[] = { BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW) };
	struct sock_fprog fprog = { sizeof(insns) / sizeof(*insns), insns }, second = { 1, no_more };

	need(!syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &fprog) &&
		     !syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &second),
	     "filter");
}

static void *wait_in(void *arg)
{
	struct call *c = arg;
	const long *a = waits[c->wait].args;
	char byte;
	long got;

	enter_sandbox(sandboxes[c->sandbox].action);
	__atomic_store_n(&c->tid, (pid_t)syscall(SYS_gettid), __ATOMIC_SEQ_CST);
	if (waits[c->wait].nr == SYS_read)
		got = syscall(SYS_read, silent.fd, &byte, 1);
	else
		got = syscall(waits[c->wait].nr, a[0], a[1], a[2], a[3], a[4], a[5]);
	c->got = got < 0 ? -errno : got;
	c->end = now_s();
	__atomic_store_n(&c->done, true, __ATOMIC_SEQ_CST);
	while (!__atomic_load_n(&all_done, __ATOMIC_SEQ_CST))
		syscall(SYS_futex, &all_done, FUTEX_WAIT_PRIVATE, 0, NULL);
	return NULL;
}

static void on_sigsys(int sig)
{
	trapped++;
}

static void start(size_t sandbox, size_t wait)
{
	struct call *c = &calls[sandbox][wait];
	pthread_t thread;

	c->sandbox = sandbox;
	c->wait = wait;
	need(!pthread_create(&thread, NULL, wait_in, c), "thread");
	while (!__atomic_load_n(&c->tid, __ATOMIC_SEQ_CST))
		sleep_ms(1);
	await_syscall(c->tid, waits[wait].nr);
}

static void verify(struct call *c, int in)
{
	const char *box = sandboxes[c->sandbox].name, *name = waits[c->wait].name;
	bool passes = c->sandbox >= NR_SANDBOXES - 2;

	if (waits[c->wait].what == FOR_EVENT) {
		while (!__atomic_load_n(&c->done, __ATOMIC_SEQ_CST)) {
			need(write(in, "x", 1) == 1, "write");
			sleep_ms(1);
		}
		check(c->got == 1, "%s, %s: %ld", box, name, c->got);
		return;
	}
	while (!__atomic_load_n(&c->done, __ATOMIC_SEQ_CST))
		sleep_ms(1);
	if (waits[c->wait].what == FOR_TIME && !passes && c->got == -EINTR)
		return;
	check(c->got == waits[c->wait].result, "%s, %s: %ld", box, name, c->got);
	check(c->end - begin >= LIMIT_MS / 1000.0, "%s, %s: after %.3f s", box, name, c->end - begin);
}

int main(int argc, char **argv)
{
	struct call *all = calls[0];
	int ends[2];

	test_init(argc, argv);
	need(!pipe(ends), "pipe");
	silent.fd = ends[0];
	signal(SIGSYS, on_sigsys);
	need(!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs");
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += LIMIT_MS / 1000;
	begin = now_s();
	for (size_t s = 0; s < NR_SANDBOXES; s++)
		for (size_t w = 0; w < NR_WAITS; w++)
			start(s, w);
	if (checkpoint_here())
		trapped++;
	for (size_t i = 0; i < NR_SANDBOXES * NR_WAITS; i++)
		if (waits[all[i].wait].what != FOR_EVENT)
			verify(&all[i], ends[1]);
	for (size_t i = 0; i < NR_SANDBOXES * NR_WAITS; i++)
		check(waits[all[i].wait].what != FOR_EVENT || !all[i].done, "%s, %s: returned early: %ld",
		      sandboxes[all[i].sandbox].name, waits[all[i].wait].name, all[i].got);
	for (size_t i = 0; i < NR_SANDBOXES * NR_WAITS; i++)
		if (waits[all[i].wait].what == FOR_EVENT)
			verify(&all[i], ends[1]);
	check(!trapped, "%d SIGSYS", trapped);
	test_done();
}
