// SPDX-License-Identifier: GPL-2.0-only
/*
 * Robust lists and clear_tid: owners of robust mutexes that exit after the restore leave EOWNERDEAD; joiners wake up.
 * test: breaks=1 user-root=host
 */
#include "checkpoint.h"
#include <pthread.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static pthread_mutex_t *shared, local;
static volatile pid_t tid;

static void *owner(void *arg)
{
	tid = (pid_t)syscall(SYS_gettid);
	pthread_mutex_lock(&local);
	checkpoint_task("owner", 0);
	if (test_break())
		pthread_mutex_unlock(&local);
	return NULL; /* still holding it */
}

static int child(void *arg)
{
	pthread_mutex_lock(shared);
	checkpoint_task("child", 0);
	return 0;
}

int main(int argc, char **argv)
{
	pthread_mutexattr_t attr;
	pthread_t t;
	pid_t pid;
	void *head = NULL, *head_after = NULL;
	size_t len = 0;

	test_init(argc, argv);
	shared = map_anon(4096, MAP_SHARED);
	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	pthread_mutex_init(&local, &attr);
	pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	pthread_mutex_init(shared, &attr);
	pthread_create(&t, NULL, owner, NULL);
	await_task("owner");
	pid = fork_task(child, NULL);
	await_task("child");
	syscall(SYS_get_robust_list, 0, &head, &len);
	checkpoint_here();
	syscall(SYS_get_robust_list, 0, &head_after, &len);
	check(head == head_after && len == 24, "robust list at %p was %p", head_after, head);
	check(!pthread_join(t, NULL), "join");
	check(pthread_mutex_lock(&local) == EOWNERDEAD, "the thread's mutex");
	join_task(pid);
	check(pthread_mutex_lock(shared) == EOWNERDEAD, "the child's mutex");
	test_done();
}
