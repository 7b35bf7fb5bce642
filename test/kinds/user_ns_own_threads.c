// SPDX-License-Identifier: GPL-2.0-only
/*
 * A tree in a user namespace of its own, in the pid namespace outside, as by `unshare --user`: processes with threads, one of them
 * in a pid namespace that the user namespace owns; a descriptor that refers to a thread; what the kernel does at a thread's
 * end; the last number.
 * test: breaks=3
 */
#include <pthread.h>
#include <sched.h>
#include "thread_numbers.h"

#define THREADS 8

struct one {
	pthread_t id;
	pid_t tid;
	char numbers[NUMBERS_SIZE];
};

static struct one threads[THREADS];
static pthread_barrier_t all;

static void *thread(void *arg)
{
	struct one *one = arg;
	char now[NUMBERS_SIZE];

	one->tid = (pid_t)syscall(SYS_gettid);
	read_numbers(one->numbers);
	pthread_barrier_wait(&all);
	wait_go(0);
	read_numbers(now);
	check(!strcmp(now, one->numbers), "thread: %s was %s", now, one->numbers);
	pthread_barrier_wait(&all);
	return NULL;
}

static void start_threads(void)
{
	need(!pthread_barrier_init(&all, NULL, THREADS + 1), "barrier");
	for (int i = 0; i < THREADS; i++)
		need(!pthread_create(&threads[i].id, NULL, thread, &threads[i]), "thread");
	pthread_barrier_wait(&all);
}

static void end_threads(void)
{
	pthread_barrier_wait(&all);
	for (int i = 0; i < THREADS; i++)
		need(!pthread_join(threads[i].id, NULL), "join");
}

static int child(void *name)
{
	start_threads();
	checkpoint_task(name, 0);
	if (test_break() == 2)
		threads[2].numbers[0] ^= 1;
	end_threads();
	return 0;
}

static int nop(void *arg)
{
	return 0;
}

static int init(void *name)
{
	pid_t next;

	start_threads();
	checkpoint_task(name, 0);
	if (test_break() == 3)
		join_task(fork_task(nop, NULL));
	/* The numbers go on where they were. */
	next = fork_task(nop, NULL);
	check(next == threads[THREADS - 1].tid + 1, "the next number is %d, not %d", next,
	      threads[THREADS - 1].tid + 1);
	join_task(next);
	end_threads();
	return 0;
}

/* Its user namespace may not enter the outer pid namespace again. */
static int box(void *arg)
{
	pid_t pid;

	need(!unshare(CLONE_NEWPID), "pid namespace: %m");
	pid = fork_task(init, "init");
	await_task("init");
	checkpoint_task("box", 0);
	join_task(pid);
	return 0;
}

int main(int argc, char **argv)
{
	struct f_owner_ex owner = { .type = F_OWNER_TID };
	int ends[2];
	pid_t pids[2];

	test_init(argc, argv);
	numbers_init();
	enter_user_ns(0);
	pids[0] = fork_task(child, "child");
	await_task("child");
	pids[1] = fork_task(box, NULL);
	await_task("box");
	start_threads();
	need(!pipe(ends), "pipe");
	owner.pid = threads[1].tid;
	need(!fcntl(ends[0], F_SETOWN_EX, &owner), "F_SETOWN_EX");
	if (checkpoint_here() == 1)
		threads[2].numbers[0] ^= 1;
	need(!fcntl(ends[0], F_GETOWN_EX, &owner), "F_GETOWN_EX");
	check(owner.type == F_OWNER_TID && owner.pid == threads[1].tid, "the owner of the pipe is %d, not %d",
	      owner.pid, threads[1].tid);
	end_threads();
	join_task(pids[0]);
	join_task(pids[1]);
	test_done();
}
