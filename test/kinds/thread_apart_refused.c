// SPDX-License-Identifier: GPL-2.0-only
/*
 * A thread that has unshared state of its process: it has its own working directory and descriptors.
 * test: refused="thread \d+: has its own working directory, root and umask .CLONE_FS.(.|\n)*thread \d+: has its own descriptors .CLONE_FILES."
 */
#include "held_thread.h"
#include <sched.h>

static void leave_fs_and_files(void)
{
	need(!unshare(CLONE_FS) && !unshare(CLONE_FILES), "unshare: %s", strerror(errno));
	need(!chdir("/usr"), "chdir");
}

static void verify_directory(void)
{
	char cwd[64];

	if (test_break())
		need(!chdir("/"), "chdir");
	check(getcwd(cwd, sizeof(cwd)) && !strcmp(cwd, "/usr"), "still in /usr");
}

int main(int argc, char **argv)
{
	struct held_thread thread = { .prepare = leave_fs_and_files, .verify = verify_directory };

	test_init(argc, argv);
	held_thread_start(&thread);
	checkpoint_here();
	held_thread_end(&thread);
	test_done();
}
