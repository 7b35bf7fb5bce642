// SPDX-License-Identifier: GPL-2.0-only
/*
 * Restartable sequences: the registration is restored, a thread caught inside a critical section goes to its abort
 * handler.
 * test: breaks=1
 */
#include "checkpoint.h"
#include <pthread.h>
#include <sched.h>
#include <sys/rseq.h>
#include <sys/syscall.h>

static volatile int stop, inside;
static volatile long aborts;
static volatile pid_t spinner_tid;

static struct rseq *area(void)
{
	return (struct rseq *)((char *)__builtin_thread_pointer() + __rseq_offset);
}

static void *spinner(void *arg)
{
	struct rseq *rs = area();

	spinner_tid = (pid_t)syscall(SYS_gettid);
	__asm__ volatile(".pushsection __rseq_cs, \"aw\"\n"
			 ".balign 32\n"
			 "3: .long 0, 0\n"
			 ".quad 1f, 2f - 1f, 4f\n"
			 ".popsection\n"
			 "5: leaq 3b(%%rip), %%rax\n"
			 "movq %%rax, %[cs]\n"
			 "1: movl $1, %[inside]\n"
			 "6: pause\n"
			 "cmpl $0, %[stop]\n"
			 "je 6b\n"
			 "2: jmp 7f\n"
			 ".byte 0x0f, 0xb9, 0x3d\n"
			 ".long 0x53053053\n"
			 "4: lock incq %[aborts]\n"
			 "jmp 5b\n"
			 "7:\n"
			 : [cs] "=m"(rs->rseq_cs), [inside] "=m"(inside), [aborts] "+m"(aborts)
			 : [stop] "m"(stop)
			 : "rax", "memory", "cc");
	rs->rseq_cs = 0;
	return NULL;
}

int main(int argc, char **argv)
{
	cpu_set_t all, one;
	pthread_t t;
	long was;

	test_init(argc, argv);
	if (!__rseq_size || area()->cpu_id >= 4096U)
		test_skip("libc has no rseq registered");
	sched_getaffinity(0, sizeof(all), &all);
	need(!pthread_create(&t, NULL, spinner, NULL), "thread");
	while (!inside)
		sleep_ms(1);
	sleep_ms(5);
	was = aborts;
	if (checkpoint_here())
		syscall(SYS_rseq, area(), __rseq_size < 32 ? 32 : __rseq_size, RSEQ_FLAG_UNREGISTER, RSEQ_SIG);

	check(aborts >= was, "%ld aborts, were %ld", aborts, was);
	for (int cpu = 0; cpu < 64; cpu++) {
		if (!CPU_ISSET(cpu, &all))
			continue;
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		was = aborts;
		need(!sched_setaffinity(spinner_tid, sizeof(one), &one) && !sched_setaffinity(0, sizeof(one), &one),
		     "affinity");
		sleep_ms(20);
		check(area()->cpu_id == (unsigned int)cpu && area()->cpu_id_start == (unsigned int)cpu,
		      "rseq says cpu %u on %d", area()->cpu_id, cpu);
		check(aborts > was, "no abort in a critical section that was preempted");
	}
	stop = 1;
	pthread_join(t, NULL);
	test_done();
}
