// SPDX-License-Identifier: GPL-2.0-only
/*
 * A thread that is confined by Landlock: nobody tells its rules. One has CAP_SYS_ADMIN, the other one no_new_privs.
 * test: refused="thread \d+: (is confined by Landlock rules|may not mount, though it has CAP_SYS_ADMIN)"
 */
#include "checkpoint.h"
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

static pthread_barrier_t made;

static void *confined(void *arg)
{
	const uint64_t handled = 1 << 11; /* LANDLOCK_ACCESS_FS_MAKE_BLOCK */
	int ruleset = (int)syscall(444, &handled, sizeof(handled), 0);

	need(ruleset >= 0 && !syscall(446, ruleset, 0), "landlock: %s", strerror(errno));
	close(ruleset);
	pthread_barrier_wait(&made);
	for (;;)
		pause();
}

int main(int argc, char **argv)
{
	pthread_t thread;

	test_init(argc, argv);
	if (syscall(444, NULL, 0, 1) <= 0)
		test_skip("this kernel has no Landlock");
	pthread_barrier_init(&made, NULL, 2);
	pthread_create(&thread, NULL, confined, NULL);
	pthread_barrier_wait(&made);
	checkpoint_here();
	check(!mknod(test_path("device"), S_IFBLK | 0600, 0) || errno == EPERM, "the first thread is not confined");
	test_done();
}
