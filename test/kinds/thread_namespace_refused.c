// SPDX-License-Identifier: GPL-2.0-only
/*
 * A thread that is in another namespace than its process.
 * test: refused="thread \d+: is in another uts namespace than its process"
 */
#include "held_thread.h"
#include <sched.h>

static bool done;

static void leave_namespace(void)
{
	done = !unshare(CLONE_NEWUTS) && !sethostname("apart", 5);
}

static void verify_hostname(void)
{
	char name[64] = "";

	if (test_break())
		need(!sethostname("elsewhere", 9), "sethostname");
	check(!gethostname(name, sizeof(name)) && !strcmp(name, "apart"), "the hostname is %s", name);
}

int main(int argc, char **argv)
{
	struct held_thread thread = { .prepare = leave_namespace, .verify = verify_hostname };

	test_init(argc, argv);
	held_thread_start(&thread);
	if (!done)
		test_skip("no UTS namespaces");
	checkpoint_here();
	held_thread_end(&thread);
	test_done();
}
