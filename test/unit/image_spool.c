// SPDX-License-Identifier: GPL-2.0-only
/* A spool is shared by processes, and one of them may be killed while it has the lock. */
#include <errno.h>
#include <sys/wait.h>
#include <unistd.h>

#include "image/spool.h"
#include "image_helper.h"

/* A hang ends the test. */
enum { SECONDS = 60 };

static int lock_in_child(struct spool *spool)
{
	int status = 0;
	pid_t pid = fork();

	if (!pid) {
		alarm(SECONDS);
		_exit(-spool_lock(spool));
	}
	return pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? -WEXITSTATUS(status) : -EINVAL;
}

static const char *owner_killed(void)
{
	struct spool *spool;

	EXPECT(!spool_new(-1, &spool));
	EXPECT(!spool_lock(spool));
	spool_unlock(spool);
	EXPECT(lock_in_child(spool) == 0);
	alarm(SECONDS);
	EXPECT(spool_lock(spool) == -EOWNERDEAD);
	/* While this process, which was told so, is still there. */
	EXPECT(lock_in_child(spool) == -ENOTRECOVERABLE);
	EXPECT(spool_lock(spool) == -ENOTRECOVERABLE);
	alarm(0);
	spool_free(spool);
	return NULL;
}

int main(void)
{
	run_case("killed with the lock", owner_killed);
	return cases_failed();
}
