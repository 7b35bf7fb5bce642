// SPDX-License-Identifier: GPL-2.0-only
/*
 * Processes with threads in user namespaces that do not own all of their pid namespaces: that of the root in an outer one; others
 * in further ones, with and without a pid namespace, and one in another one with both. All numbers of each thread are
 * the same, also where nobody in the process may choose them, while another process of the tree has used many.
 * test: flavours=host,pid breaks=3 decode=yes
 */
#include <pthread.h>
#include <sched.h>
#include "thread_numbers.h"

#define THREADS 4
#define PROCESSES 4

struct who {
	const char *name;
	pthread_barrier_t all;
	char numbers[THREADS][NUMBERS_SIZE];
	bool cleared;
};

static struct who *here;

static void *thread(void *arg)
{
	size_t i = (size_t)(intptr_t)arg;
	char now[NUMBERS_SIZE];

	read_numbers(here->numbers[i]);
	pthread_barrier_wait(&here->all);
	wait_go(0);
	read_numbers(now);
	check(!strcmp(now, here->numbers[i]), "%s, thread %zu: %s was %s", here->name, i, now, here->numbers[i]);
	return NULL;
}

/* The threads are joined by what the kernel does at their exit: set_tid_address(2). */
static void live(const char *name, int breaks)
{
	static struct who who;
	pthread_t ids[THREADS];
	char own[NUMBERS_SIZE], now[NUMBERS_SIZE];

	who.name = name;
	here = &who;
	need(!pthread_barrier_init(&who.all, NULL, THREADS + 1), "barrier");
	for (intptr_t i = 0; i < THREADS; i++)
		need(!pthread_create(&ids[i], NULL, thread, (void *)i), "thread");
	read_numbers(own);
	pthread_barrier_wait(&who.all);
	if (breaks == 1)
		checkpoint_here();
	else
		checkpoint_task(name, 0);
	if (test_break() == breaks)
		who.numbers[THREADS - 1][0] ^= 1;
	for (int i = 0; i < THREADS; i++)
		need(!pthread_join(ids[i], NULL), "join");
	read_numbers(now);
	check(!strcmp(now, own), "%s: %s was %s", name, now, own);
}

static int innermost(void *name)
{
	live(name, 2);
	return 0;
}

static int plain(void *name)
{
	enter_user_ns(0);
	live(name, 3);
	return 0;
}

/* Both are in its own, as Chrome's processes are. */
static int boxed(void *name)
{
	pid_t init;

	enter_user_ns(CLONE_NEWPID);
	init = fork_task(innermost, name);
	await_task(name);
	checkpoint_task("box", 0);
	join_task(init);
	return 0;
}

static int outer_init(void *arg)
{
	pid_t inner = fork_task(boxed, "two deep");

	await_task("two deep");
	live("one deep", 3);
	join_task(inner);
	return 0;
}

static int twice(void *arg)
{
	pid_t init;

	enter_user_ns(CLONE_NEWPID);
	init = fork_task(outer_init, NULL);
	await_task("one deep");
	checkpoint_task("twice", 0);
	join_task(init);
	return 0;
}

int main(int argc, char **argv)
{
	pid_t pids[PROCESSES];

	test_init(argc, argv);
	numbers_init();
	pids[0] = fork_task(plain, "user namespace");
	await_task("user namespace");
	pids[1] = fork_task(plain, "another");
	await_task("another");
	pids[2] = fork_task(boxed, "boxed");
	await_task("box");
	pids[3] = fork_task(twice, NULL);
	await_task("twice");
	live("root", 1);
	for (int i = 0; i < PROCESSES; i++)
		join_task(pids[i]);
	test_done();
}
