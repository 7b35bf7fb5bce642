// SPDX-License-Identifier: GPL-2.0-only
/*
 * A pidfd of a thread (threads come back after files): by name.
 * test: refused='\b301\b.*pidfd.*thread'
 */
#include "checkpoint.h"
#include <pthread.h>
#include <sys/syscall.h>

static pid_t thread;

static void *rest(void *arg)
{
	__atomic_store_n(&thread, (pid_t)syscall(SYS_gettid), __ATOMIC_SEQ_CST);
	while (1)
		pause();
	return NULL;
}

static void at(int number, pid_t pid, unsigned flags)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, flags);

	if (fd < 0 && errno == EINVAL)
		test_skip("this kernel has no pidfds of threads");
	need(fd >= 0 && dup2(fd, number) == number && !close(fd), "pidfd of %d", pid);
}

int main(int argc, char **argv)
{
	pthread_t id;

	test_init(argc, argv);
	need(!pthread_create(&id, NULL, rest, NULL), "thread");
	while (!__atomic_load_n(&thread, __ATOMIC_SEQ_CST))
		sleep_ms(1);
	at(301, thread, O_EXCL);
	if (checkpoint_here())
		close(301);
	check(!syscall(SYS_pidfd_send_signal, 301, 0, NULL, 0), "the thread");
	test_done();
}
