// SPDX-License-Identifier: GPL-2.0-only
/*
 * Landlock with no_new_privs and without any capability, rules for the network only. Another process that only has
 * no_new_privs does not block the dump.
 * test: refused="thread \d+: is confined by Landlock rules"
 */
#include "checkpoint.h"
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

struct attr {
	uint64_t fs, net;
};

static void verify_confined(void)
{
	const struct sockaddr_in any = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	check(fd >= 0 && bind(fd, (const struct sockaddr *)&any, sizeof(any)) && errno == EACCES, "bind is allowed");
	close(fd);
}

static int harmless(void *arg)
{
	need(!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs");
	checkpoint_task("harmless", 0);
	/* The rules cannot be removed: the check runs where there are none. */
	if (test_break())
		verify_confined();
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
	checkpoint_task("confined", 0);
	verify_confined();
	return 0;
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
	join_task(kids[1]);
	test_done();
}
