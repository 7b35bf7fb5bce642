// SPDX-License-Identifier: GPL-2.0-only
/*
 * A thread confined by Landlock: its rules cannot be queried. One has CAP_SYS_ADMIN, the other one no_new_privs.
 * test: refused="thread \d+: (is confined by Landlock rules|may not mount, though it has CAP_SYS_ADMIN)"
 */
#include "held_thread.h"
#include <sys/prctl.h>
#include <sys/syscall.h>

static void confine(void)
{
	const uint64_t handled = 1 << 11; /* LANDLOCK_ACCESS_FS_MAKE_BLOCK */
	int ruleset = (int)syscall(444, &handled, sizeof(handled), 0);

	need(ruleset >= 0 && !syscall(446, ruleset, 0), "landlock: %s", strerror(errno));
	close(ruleset);
}

static bool is_confined(void)
{
	if (!mknod("device", S_IFBLK | 0600, 0))
		return unlink("device");
	return errno == EACCES;
}

static void verify(void)
{
	check(is_confined(), "the thread is no longer confined");
}

int main(int argc, char **argv)
{
	struct held_thread thread = { .prepare = confine, .verify = verify };

	test_init(argc, argv);
	if (syscall(444, NULL, 0, 1) <= 0)
		test_skip("this kernel has no Landlock");
	held_thread_start(&thread);
	/* The rules cannot be removed: the check runs where there are none. */
	if (checkpoint_here() == 1)
		verify();
	check(!is_confined(), "the main thread is confined");
	held_thread_end(&thread);
	test_done();
}
