// SPDX-License-Identifier: GPL-2.0-only
/*
 * A process whose threads are all killed for system calls that a checkpoint needs and the program does not. (test/kill
 * kills the tool at each step of its restore.)
 * test: breaks=1
 */
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include "checkpoint.h"

static const int forbidden[] = { SYS_read,   SYS_close_range, SYS_arch_prctl,	   SYS_restart_syscall,
				 SYS_capset, SYS_wait4,	      SYS_rt_sigtimedwait, SYS_seccomp };
#define N (sizeof(forbidden) / sizeof(*forbidden))

static uint32_t word;
static pid_t tid;

static void enter_sandbox(void)
{
	struct sock_filter insns[2 * N + 2] = { BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)) };
	struct sock_fprog fprog = { 0, insns };
	size_t n = 1;

	for (size_t i = 0; i < N; i++) {
		insns[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, forbidden[i], 0, 1);
		insns[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
	}
	insns[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	fprog.len = n;
	need(!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) &&
		     !syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &fprog),
	     "filter");
}

static void *wait_for_word(void *arg)
{
	__atomic_store_n(&tid, (pid_t)syscall(SYS_gettid), __ATOMIC_SEQ_CST);
	while (!__atomic_load_n(&word, __ATOMIC_SEQ_CST))
		syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, NULL);
	check(prctl(PR_GET_SECCOMP) == 2, "the thread's filter is gone");
	return NULL;
}

int main(int argc, char **argv)
{
	bool broken;
	pthread_t thread;

	test_init(argc, argv);
	need(!pthread_create(&thread, NULL, wait_for_word, NULL), "thread");
	while (!__atomic_load_n(&tid, __ATOMIC_SEQ_CST))
		sleep_ms(1);
	await_syscall(tid, SYS_futex);
	enter_sandbox();
	broken = checkpoint_here();
	check(prctl(PR_GET_SECCOMP) == (broken ? 0 : 2), "the filter is gone");
	__atomic_store_n(&word, 1, __ATOMIC_SEQ_CST);
	syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1);
	pthread_join(thread, NULL);
	test_done();
}
