// SPDX-License-Identifier: GPL-2.0-only
/*
 * Undo values of System V semaphores (SEM_UNDO) of processes and of threads with their own lists. A process outside the
 * tree that waits for a semaphore held by the tree does not get it, neither during the dump nor before the restore.
 * test: flavours=host,pid,ipc,user breaks=3
 */
#include "checkpoint.h"
#include <pthread.h>
#include <sched.h>
#include <sys/sem.h>
#include <sys/syscall.h>
#include <sys/wait.h>

enum { LOCK, POSTED, FULL, HIGH, POOL, THREADS, HELD_BY_THREAD, PLAIN, NR = 120, LAST = NR - 1 };

static int set;

static int value(int num)
{
	return semctl(set, num, GETVAL);
}

static void change(int num, int by, int flags)
{
	struct sembuf op = { .sem_num = num, .sem_op = by, .sem_flg = flags | IPC_NOWAIT };

	need(!semop(set, &op, 1), "semaphore %d by %d: %s", num, by, strerror(errno));
}

/* Reparented: it is not part of the tree. */
static void start_stranger(void)
{
	struct sembuf op = { .sem_num = LOCK, .sem_op = -1 };
	pid_t pid = fork();
	int status;

	if (!pid) {
		if (fork())
			_exit(0);
		setsid();
		for (int fd = 0; fd < 3; fd++)
			close(fd);
		op.sem_flg = 0;
		if (!syscall(SYS_semop, set, &op, 1))
			write_file(test_path("taken"), "");
		_exit(0);
	}
	waitpid(pid, &status, 0);
	while (semctl(set, LOCK, GETNCNT) != 1)
		sched_yield();
}

static int child(void *arg)
{
	change(POOL, -2, SEM_UNDO);
	task_ready("child");
	while (access(test_path("end"), F_OK))
		usleep(1000);
	return 0;
}

static pthread_barrier_t made;
static volatile int may_end;

/* Its list is not that of the process: its operations are undone on its own exit. */
static void *own_list(void *arg)
{
	need(!unshare(CLONE_SYSVSEM), "unshare: %s", strerror(errno));
	change(HELD_BY_THREAD, -1, SEM_UNDO);
	pthread_barrier_wait(&made);
	while (!may_end)
		usleep(1000);
	return NULL;
}

static void *same_list(void *arg)
{
	change(THREADS, -1, SEM_UNDO);
	return NULL;
}

static const struct {
	int num, start, now, undone;
} want[] = {
	{ LOCK, 1, 0, 1 },	 { POSTED, 0, 5, 0 },  { FULL, 0, 32767, 0 },	    { HIGH, 30000, 29000, 30000 },
	{ POOL, 9, 4, 9 },	 { THREADS, 1, 0, 1 }, { HELD_BY_THREAD, 1, 0, 1 }, { PLAIN, 4, 3, 3 },
	{ LAST, 500, 450, 500 },
};

static void make(void)
{
	for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++)
		need(!semctl(set, want[i].num, SETVAL, want[i].start), "SETVAL");
	change(LOCK, -1, SEM_UNDO);
	change(POSTED, 5, SEM_UNDO);
	change(FULL, 32767, SEM_UNDO);
	change(HIGH, -1000, SEM_UNDO);
	change(POOL, -3, SEM_UNDO);
	change(PLAIN, -1, 0);
	change(LAST, -50, SEM_UNDO);
}

int main(int argc, char **argv)
{
	pthread_t own, same;
	pid_t kid;
	int b;

	test_init(argc, argv);
	set = semget(IPC_PRIVATE, NR, 0600);
	if (set < 0)
		test_skip("no System V semaphores");
	make();
	kid = fork_task(child, NULL);
	await_task("child");
	pthread_barrier_init(&made, NULL, 2);
	pthread_create(&own, NULL, own_list, NULL);
	pthread_create(&same, NULL, same_list, NULL);
	pthread_join(same, NULL);
	pthread_barrier_wait(&made);
	start_stranger();
	b = checkpoint_here();
	if (b == 1)
		unshare(CLONE_SYSVSEM);
	if (b == 2)
		change(LAST, 1, SEM_UNDO);
	if (b == 3)
		change(LOCK, 1, 0);
	for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++)
		check(value(want[i].num) == want[i].now, "semaphore %d is %d", want[i].num, value(want[i].num));
	check(semctl(set, LOCK, GETNCNT) == 1 && access("taken", F_OK), "the stranger is waiting");
	/* One after another they exit, or leave their lists. */
	may_end = 1;
	pthread_join(own, NULL);
	/* It is joined a moment before its exit. */
	for (int i = 0; i < 5000 && !value(HELD_BY_THREAD); i++)
		sleep_ms(1);
	check(value(HELD_BY_THREAD) == 1, "undone on the thread's exit: %d", value(HELD_BY_THREAD));
	check(value(THREADS) == 0, "but not those of the process");
	write_file(test_path("end"), "");
	join_task(kid);
	check(value(POOL) == 6, "two undone on the child's exit: %d", value(POOL));
	need(!unshare(CLONE_SYSVSEM), "unshare: %s", strerror(errno));
	for (int i = 0; i < 5000 && access("taken", F_OK); i++)
		sleep_ms(1);
	check(!access("taken", F_OK) && value(LOCK) == 0, "now the stranger gets it");
	for (size_t i = 1; i < sizeof(want) / sizeof(want[0]); i++)
		check(value(want[i].num) == want[i].undone, "semaphore %d is %d at the end", want[i].num,
		      value(want[i].num));
	semctl(set, 0, IPC_RMID);
	test_done();
}
