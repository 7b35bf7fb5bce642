// SPDX-License-Identifier: GPL-2.0-only
/*
 * A thread that lives in another namespace than its process.
 * test: refused="thread \d+: lives in another uts namespace than its process"
 */
#include "checkpoint.h"
#include <pthread.h>
#include <sched.h>

static pthread_barrier_t made, over;
static bool done;

static void *apart(void *arg)
{
	done = !unshare(CLONE_NEWUTS);
	pthread_barrier_wait(&made);
	pthread_barrier_wait(&over);
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t thread;

	test_init(argc, argv);
	pthread_barrier_init(&made, NULL, 2);
	pthread_barrier_init(&over, NULL, 2);
	pthread_create(&thread, NULL, apart, NULL);
	pthread_barrier_wait(&made);
	if (!done)
		test_skip("no UTS namespaces");
	checkpoint_here();
	pthread_barrier_wait(&over);
	pthread_join(thread, NULL);
	test_done();
}
