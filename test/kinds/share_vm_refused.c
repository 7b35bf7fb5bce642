// SPDX-License-Identifier: GPL-2.0-only
/*
 * A process whose parent has exited, and that was reparented: none of those that share its memory is its parent, or a
 * child of that.
 * test: refused=shares.its.memory.*none.of.which.could.create.it
 */
#include "share_vm.h"
#include <sys/prctl.h>

enum { MAKER, ORPHAN };

static int verify(int nr)
{
	return 40 + nr;
}

static void prepare(int nr)
{
	if (nr == MAKER)
		share_memory(ORPHAN, SIGCHLD, prepare, verify);
}

static int owner(void *arg)
{
	share_memory(MAKER, SIGCHLD, prepare, verify);
	take_turn(MAKER, 0);
	checkpoint_task("owner", 0);
	check(!strchr("ZX", state_of(peers[ORPHAN].pid)), "the orphan has exited");
	peers[ORPHAN].turn = 1;
	return 0;
}

static int between(void *arg)
{
	join_task(fork_task(owner, NULL));
	return 0;
}

int main(int argc, char **argv)
{
	int status, seen = 0;

	test_init(argc, argv);
	need(!prctl(PR_SET_CHILD_SUBREAPER, 1), "prctl");
	fork_task(between, NULL);
	await_task("owner");
	/* As if its parent had been restored. */
	if (checkpoint_here() == 1)
		kill(peers[ORPHAN].pid, SIGKILL);
	while (wait(&status) > 0) {
		check(WIFEXITED(status) && (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 40 + ORPHAN),
		      "status %#x", status);
		seen++;
	}
	check(seen == 2, "%d children", seen);
	test_done();
}
