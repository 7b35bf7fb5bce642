// SPDX-License-Identifier: GPL-2.0-only
/*
 * A thread that has given up what it shared with its process: it has a working directory of its own, and descriptors.
 * test: refused="thread \d+: has working directory, root and umask .CLONE_FS. of its own(.|\n)*thread \d+: has descriptors .CLONE_FILES. of its own"
 */
#include "checkpoint.h"
#include <pthread.h>
#include <sched.h>

static pthread_barrier_t made, over;

static void *apart(void *arg)
{
	char cwd[64];

	need(!unshare(CLONE_FS) && !unshare(CLONE_FILES), "unshare: %s", strerror(errno));
	need(!chdir("/usr"), "chdir");
	pthread_barrier_wait(&made);
	pthread_barrier_wait(&over);
	check(getcwd(cwd, sizeof(cwd)) && !strcmp(cwd, "/usr"), "still in /usr");
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
	checkpoint_here();
	pthread_barrier_wait(&over);
	pthread_join(thread, NULL);
	test_done();
}
