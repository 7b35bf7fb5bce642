// SPDX-License-Identifier: GPL-2.0-only
/*
 * File locks without --file-locks are refused, naming the file, the lock and its holder.
 * test: refused="holds a flock write lock on .*locked.* --file-locks"
 */
#include "checkpoint.h"
#include <sys/file.h>
#include <sys/wait.h>

static int child(void *arg)
{
	int fd = open("locked", O_RDWR);

	return flock(fd, LOCK_EX | LOCK_NB) == 0 ? 1 : 0;
}

int main(int argc, char **argv)
{
	int fd;

	test_init(argc, argv);
	fd = open("locked", O_RDWR | O_CREAT, 0600);
	need(!flock(fd, LOCK_EX), "flock");
	if (checkpoint_here())
		flock(fd, LOCK_UN);
	join_task(fork_task(child, NULL));
	test_done();
}
