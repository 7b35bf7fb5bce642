// SPDX-License-Identifier: GPL-2.0-only
/*
 * modify_ldt(2): entries of every type, inherited by a child, in use by a segment register, and by a thread.
 * test: breaks=2
 */
#include "checkpoint.h"
#include <asm/ldt.h>
#include <pthread.h>
#include <sys/syscall.h>

#define MANY 300

static uint64_t before[LDT_ENTRIES], after[LDT_ENTRIES];
static volatile unsigned int thread_es;
static volatile int thread_go;

static void set(unsigned int nr, struct user_desc desc)
{
	desc.entry_number = nr;
	need(!syscall(SYS_modify_ldt, 0x11, &desc, sizeof(desc)), "entry %u", nr);
}

static void read_all(uint64_t *to)
{
	memset(to, 0, sizeof(before));
	need(syscall(SYS_modify_ldt, 0, to, sizeof(before)) >= 0, "read");
}

static unsigned int selector(unsigned int nr)
{
	return nr << 3 | 7;
}

static int child(void *arg)
{
	set(9, (struct user_desc){ .base_addr = 0x99000, .limit = 9, .seg_32bit = 1 });
	checkpoint_task("child", 0);
	read_all(after);
	check((after[9] >> 16 & 0xffffff) == 0x99000, "the child's own: %lx", after[9]);
	before[9] = after[9];
	check(!memcmp(before, after, sizeof(before)), "the child's");
	return 0;
}

static void *thread(void *arg)
{
	unsigned int es = selector(7);

	__asm__ volatile("movw %w0, %%es" : : "r"(es));
	task_ready("thread");
	while (!thread_go)
		__asm__ volatile("pause");
	__asm__ volatile("movw %%es, %w0" : "=r"(es));
	thread_es = es;
	return NULL;
}

int main(int argc, char **argv)
{
	static const char text[] = "through a segment";
	unsigned int ds = selector(5), byte = 0;
	char *low;
	pthread_t other;
	pid_t pid;
	int brk;

	test_init(argc, argv);
	if (syscall(SYS_modify_ldt, 0, before, sizeof(before)) < 0)
		test_skip("no modify_ldt(2)");
	low = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	need(low != MAP_FAILED, "memory below 4G");
	strcpy(low, text);
	set(0, (struct user_desc){ .base_addr = 0x12345678, .limit = 0xabcde, .seg_32bit = 1, .useable = 1 });
	set(3, (struct user_desc){ .base_addr = 0xfedcba98,
				   .limit = 0xfffff,
				   .seg_32bit = 1,
				   .limit_in_pages = 1,
				   .contents = MODIFY_LDT_CONTENTS_CODE });
	set(4, (struct user_desc){ .base_addr = 0x1000,
				   .limit = 1,
				   .seg_32bit = 1,
				   .seg_not_present = 1,
				   .contents = 3,
				   .read_exec_only = 1 });
	set(5, (struct user_desc){ .base_addr = (unsigned int)(uintptr_t)low, .limit = 0xfff, .seg_32bit = 1 });
	set(7, (struct user_desc){ .base_addr = 0x7000, .limit = 7, .seg_32bit = 1, .read_exec_only = 1 });
	set(LDT_ENTRIES - 1, (struct user_desc){ .base_addr = 0x8000, .limit = 8, .seg_32bit = 1 });
	for (unsigned int i = 0; i < MANY; i++)
		set(1000 + 3 * i, (struct user_desc){ .base_addr = i << 12, .limit = i, .seg_32bit = 1 });
	read_all(before);
	pid = fork_task(child, NULL);
	await_task("child");
	need(!pthread_create(&other, NULL, thread, NULL), "thread");
	await_task("thread");
	__asm__ volatile("movw %w0, %%ds\n\tmovw %w0, %%gs" : : "r"(ds));

	brk = checkpoint_here();
	if (brk == 1)
		set(3, (struct user_desc){ .base_addr = 0, .limit = 1, .seg_32bit = 1 });
	if (brk == 2)
		set(9, (struct user_desc){ .base_addr = 0, .limit = 1, .seg_32bit = 1 });
	ds = 0;
	__asm__ volatile("movw %%ds, %w0" : "+r"(ds));
	check(ds == selector(5), "ds is %#x", ds);
	__asm__ volatile("movzbl %%gs:8, %0" : "=r"(byte));
	check(byte == 'a', "through gs: %c", byte);
	/* After a reload it matches the entry. */
	__asm__ volatile("movw %w1, %%gs\n\tmovzbl %%gs:1, %0" : "=r"(byte) : "r"(selector(5)));
	check(byte == 'h', "through gs, reloaded: %c", byte);
	read_all(after);
	for (unsigned int i = 0; i < LDT_ENTRIES; i++)
		check(before[i] == after[i], "entry %u: %lx was %lx", i, after[i], before[i]);
	thread_go = 1;
	pthread_join(other, NULL);
	check(thread_es == selector(7), "the thread's es is %#x", thread_es);
	join_task(pid);
	test_done();
}
