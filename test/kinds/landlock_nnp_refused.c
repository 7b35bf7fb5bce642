// SPDX-License-Identifier: GPL-2.0-only
/*
 * Landlock with no_new_privs and without any right, rules for the network only. A process beside it that has no_new_privs
 * alone does not stand in the way.
 * test: refused="thread \d+: is confined by Landlock rules"
 */
#include "checkpoint.h"
#include <sys/prctl.h>
#include <sys/syscall.h>

struct attr {
	uint64_t fs, net;
};

static int harmless(void *arg)
{
	need(!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs");
	checkpoint_task("harmless", 0);
	return 0;
}

static int confined(void *arg)
{
	const struct attr handled = { .net = 1 }; /* LANDLOCK_ACCESS_NET_BIND_TCP */
	int ruleset;

	need(!setgid(65534) && !setuid(65534) && !prctl(PR_SET_DUMPABLE, 1, 0, 0, 0), "nobody");
	need(!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs");
	ruleset = (int)syscall(444, &handled, sizeof(handled), 0);
	need(ruleset >= 0 && !syscall(446, ruleset, 0), "landlock: %s", strerror(errno));
	close(ruleset);
	task_ready("confined");
	for (;;)
		pause();
}

int main(int argc, char **argv)
{
	pid_t kids[2];

	test_init(argc, argv);
	if (syscall(444, NULL, 0, 1) < 4)
		test_skip("this kernel has no Landlock for the network");
	chmod(test_dir(), 0777);
	kids[0] = fork_task(harmless, NULL);
	kids[1] = fork_task(confined, NULL);
	await_task("harmless");
	await_task("confined");
	checkpoint_here();
	join_task(kids[0]);
	kill(kids[1], SIGKILL);
	test_done();
}
