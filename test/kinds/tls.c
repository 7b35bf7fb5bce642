// SPDX-License-Identifier: GPL-2.0-only
/*
 * TLS entries of the descriptor table (set_thread_area), of two threads; fs and gs base by arch_prctl. With so many others
 * that the dump reads the state of threads from kernel memory, where it can (dump/alike_threads.c).
 * test: breaks=1
 */
#include "checkpoint.h"
#include <asm/ldt.h>
#include <asm/prctl.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* Only 32-bit system calls access these entries; any task may use them. The argument must be below 4 GiB. */
static int ia32_call(int nr, struct user_desc *d)
{
	struct user_desc *low =
		mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	long ret = nr;

	need(low != MAP_FAILED, "mmap");
	*low = *d;
	__asm__ volatile("int $0x80" : "+a"(ret) : "b"(low) : "memory", "r8", "r9", "r10", "r11");
	*d = *low;
	munmap(low, 4096);
	return (int)ret;
}

/* A kernel may have them disabled (ia32_emulation=0): then the int 0x80 gate faults. */
static void need_ia32_calls(void)
{
	struct user_desc d = { .entry_number = 12 };
	int status;
	pid_t pid = fork();

	if (!pid) {
		ia32_call(244, &d);
		_exit(0);
	}
	need(waitpid(pid, &status, 0) == pid, "child");
	if (WIFSIGNALED(status))
		test_skip("this kernel has no 32-bit system calls");
}

static int set_entry(unsigned int number, unsigned int base, unsigned int limit)
{
	struct user_desc d = { .entry_number = number,
			       .base_addr = base,
			       .limit = limit,
			       .seg_32bit = 1,
			       .limit_in_pages = 1,
			       .useable = 1 };

	return ia32_call(243, &d);
}

static void verify(unsigned int number, unsigned int base, unsigned int limit)
{
	struct user_desc d = { .entry_number = number };

	check(!ia32_call(244, &d), "get_thread_area %u", number);
	check(d.base_addr == base && d.limit == limit && d.seg_32bit && d.limit_in_pages && d.useable &&
		      !d.seg_not_present,
	      "entry %u: base %#x limit %#x", number, d.base_addr, d.limit);
}

static void *thread(void *arg)
{
	unsigned long gs = 0;

	set_entry(13, 0x13000000, 0x113);
	syscall(SYS_arch_prctl, ARCH_SET_GS, 0x12345678000UL);
	checkpoint_task("thread", 0);
	verify(13, 0x13000000, 0x113);
	syscall(SYS_arch_prctl, ARCH_GET_GS, &gs);
	check(gs == 0x12345678000UL, "gs %lx", gs);
	return NULL;
}

enum { OTHERS = 100 };

static void *other(void *arg)
{
	for (;;)
		pause();
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t t;

	test_init(argc, argv);
	need_ia32_calls();
	if (set_entry(12, 0x12000000, 0x112))
		test_skip("no set_thread_area");
	need(!set_entry(14, 0x14000000, 0x114), "entry 14");
	for (int i = 0; i < OTHERS; i++) {
		need(!pthread_create(&t, NULL, other, NULL), "thread %d", i);
		pthread_detach(t);
	}
	pthread_create(&t, NULL, thread, NULL);
	await_task("thread");
	if (checkpoint_here())
		set_entry(14, 0x15000000, 0x114);
	verify(12, 0x12000000, 0x112);
	verify(14, 0x14000000, 0x114);
	pthread_join(t, NULL);
	test_done();
}
