// SPDX-License-Identifier: GPL-2.0-only
/*
 * Confined by Landlock with the CAP_SYS_ADMIN of a user namespace, without a mount namespace of its own: mount(2) fails
 * there in any case, so that only kernel memory tells.
 * test: refused="thread \d+: is confined by Landlock rules"
 */
#include "checkpoint.h"
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

static void verify_confined(void)
{
	if (mkdir(test_path("made"), 0700))
		check(errno == EACCES, "mkdir: %m");
	else
		check(rmdir(test_path("made")), "the process is no longer confined");
}

static int confined(void *arg)
{
	const uint64_t handled = 1 << 7; /* LANDLOCK_ACCESS_FS_MAKE_DIR */
	int ruleset;

	need(!unshare(CLONE_NEWUSER), "unshare: %m");
	write_file("/proc/self/setgroups", "deny");
	write_file("/proc/self/uid_map", "0 0 1\n");
	write_file("/proc/self/gid_map", "0 0 1\n");
	ruleset = (int)syscall(444, &handled, sizeof(handled), 0);
	need(ruleset >= 0 && !syscall(446, ruleset, 0), "landlock: %m");
	close(ruleset);
	need(!prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), "no_new_privs is set");
	checkpoint_task("confined", 0);
	verify_confined();
	return 0;
}

int main(int argc, char **argv)
{
	pid_t kid;

	test_init(argc, argv);
	if (syscall(444, NULL, 0, 1) <= 0)
		test_skip("this kernel has no Landlock");
	if (access("/proc/self/ns/user", F_OK))
		test_skip("this kernel has no user namespaces");
	kid = fork_task(confined, NULL);
	await_task("confined");
	/* The rules cannot be removed: the check runs where there are none. */
	if (checkpoint_here() == 1)
		verify_confined();
	join_task(kid);
	test_done();
}
