// SPDX-License-Identifier: GPL-2.0-only
/*
 * 200 threads, each with its own name, mask, nice value, affinity, registers on its stack, thread-local data.
 * test: boots=others breaks=2 decode=yes user-root=host
 */
#include "checkpoint.h"
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define COUNT 200

static pthread_t threads[COUNT];
static pid_t tids[COUNT];
static int ready, release_all;
static __thread int own = -1;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;

static void want_set(int nr, sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGUSR1);
	sigaddset(set, SIGRTMIN + nr % 25);
}

static bool same_set(const sigset_t *a, const sigset_t *b)
{
	for (int sig = 1; sig < 65; sig++)
		if (sigismember(a, sig) != sigismember(b, sig))
			return false;
	return true;
}

static void *thread(void *arg)
{
	int nr = (int)(intptr_t)arg;
	char name[16], got[16] = "";
	sigset_t set, now;
	cpu_set_t cpus;
	struct sched_param sp;
	pid_t tid = (pid_t)syscall(SYS_gettid);

	snprintf(name, sizeof(name), "worker-%d", nr);
	prctl(PR_SET_NAME, name);
	want_set(nr, &set);
	pthread_sigmask(SIG_SETMASK, &set, NULL);
	own = nr;
	if (nr % 4 == 1)
		setpriority(PRIO_PROCESS, tid, nr % 19);
	if (nr % 4 == 2) {
		sp.sched_priority = 0;
		sched_setscheduler(0, nr % 8 == 2 ? SCHED_BATCH : SCHED_IDLE, &sp);
	}
	CPU_ZERO(&cpus);
	CPU_SET(nr % (int)sysconf(_SC_NPROCESSORS_ONLN), &cpus);
	if (nr % 4 == 3)
		sched_setaffinity(0, sizeof(cpus), &cpus);
	tids[nr] = tid;
	pthread_mutex_lock(&lock);
	ready++;
	while (!release_all)
		pthread_cond_wait(&cond, &lock);
	pthread_mutex_unlock(&lock);

	check(syscall(SYS_gettid) == tid, "tid %ld was %d", syscall(SYS_gettid), tid);
	check(own == nr, "thread-local value %d of thread %d", own, nr);
	prctl(PR_GET_NAME, got);
	check(!strcmp(got, name), "name %s was %s", got, name);
	pthread_sigmask(SIG_SETMASK, NULL, &now);
	check(same_set(&set, &now), "mask of thread %d", nr);
	if (nr % 4 == 1)
		check(getpriority(PRIO_PROCESS, 0) == nr % 19, "nice %d of thread %d", getpriority(PRIO_PROCESS, 0),
		      nr);
	if (nr % 4 == 2)
		check(sched_getscheduler(0) == (nr % 8 == 2 ? SCHED_BATCH : SCHED_IDLE), "class %d",
		      sched_getscheduler(0));
	if (nr % 4 == 3) {
		cpu_set_t have;

		sched_getaffinity(0, sizeof(have), &have);
		check(CPU_EQUAL(&have, &cpus), "affinity of thread %d", nr);
	}
	return arg;
}

int main(int argc, char **argv)
{
	pthread_attr_t attr;
	void *ret;
	int brk;

	test_init(argc, argv);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 65536);
	for (intptr_t i = 0; i < COUNT; i++)
		need(!pthread_create(&threads[i], &attr, thread, (void *)i), "thread %ld", (long)i);
	for (;;) {
		pthread_mutex_lock(&lock);
		if (ready == COUNT)
			break;
		pthread_mutex_unlock(&lock);
		sleep_ms(1);
	}
	pthread_mutex_unlock(&lock);
	for (int i = 0; i < COUNT; i++)
		await_syscall(tids[i], SYS_futex);

	brk = checkpoint_here();
	if (brk == 1)
		pthread_setname_np(threads[42], "spoilt");
	if (brk == 2)
		setpriority(PRIO_PROCESS, tids[41], 19);

	pthread_mutex_lock(&lock);
	release_all = 1;
	pthread_cond_broadcast(&cond);
	pthread_mutex_unlock(&lock);
	for (intptr_t i = 0; i < COUNT; i++)
		check(!pthread_join(threads[i], &ret) && ret == (void *)i, "join %ld", (long)i);
	test_done();
}
