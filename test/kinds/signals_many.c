// SPDX-License-Identifier: GPL-2.0-only
/*
 * More pending signals than fit into a few megabytes: queues of 14 threads with 5,000 each, in order. They are
 * accounted to the real user, so the test uses a uid of its own.
 * test: breaks=1 settle=4000
 */
#include "checkpoint.h"
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { THREADS = 14, EACH = 5000 };

static pthread_mutex_t go = PTHREAD_MUTEX_INITIALIZER;

/* The signals are in the thread's own queue. */
static void *take_all(void *arg)
{
	struct timespec at_once = { 0 };
	siginfo_t si;
	sigset_t set;
	int got = 0;

	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN);
	pthread_mutex_lock(&go);
	for (; sigtimedwait(&set, &si, &at_once) == SIGRTMIN; got++)
		check(si.si_value.sival_int == got, "signal %d has the value %d", got, si.si_value.sival_int);
	pthread_mutex_unlock(&go);
	check(got == EACH, "%d signals of %d", got, EACH);
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t threads[THREADS];
	struct rlimit limit;
	struct timespec now;
	sigset_t set;

	test_init(argc, argv);
	need(!getrlimit(RLIMIT_SIGPENDING, &limit), "limit");
	if (limit.rlim_cur < THREADS * EACH + 1000)
		test_skip("RLIMIT_SIGPENDING is too low");
	clock_gettime(CLOCK_MONOTONIC, &now);
	need(!setreuid(1000000 + now.tv_nsec % 1000000, (uid_t)-1), "become another real user");
	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN);
	need(!sigprocmask(SIG_BLOCK, &set, NULL), "block");
	pthread_mutex_lock(&go);
	for (int t = 0; t < THREADS; t++) {
		need(!pthread_create(&threads[t], NULL, take_all, NULL), "thread");
		for (int i = 0; i < EACH; i++) {
			int err = pthread_sigqueue(threads[t], SIGRTMIN, (union sigval){ .sival_int = i });

			if (err == EAGAIN)
				test_skip("RLIMIT_SIGPENDING of this user is used up");
			need(!err, "queue %d: %d", i, err);
		}
	}

	if (checkpoint_here() == 1)
		pthread_sigqueue(threads[0], SIGRTMIN, (union sigval){ .sival_int = EACH });

	pthread_mutex_unlock(&go);
	for (int t = 0; t < THREADS; t++)
		pthread_join(threads[t], NULL);
	test_done();
}
