// SPDX-License-Identifier: GPL-2.0-only
/*
 * A directory that is watched with F_NOTIFY. One that is open, and no more than that, is none of these.
 * test: refused="fd \d+: .+watched is or was watched with F_NOTIFY"
 */
#include "checkpoint.h"

static volatile sig_atomic_t told;

static void tell(int sig)
{
	told++;
}

int main(int argc, char **argv)
{
	int fd;

	test_init(argc, argv);
	need(!mkdir("watched", 0700) && open(".", O_RDONLY) >= 0, "mkdir");
	fd = open("watched", O_RDONLY | O_DIRECTORY);
	signal(SIGRTMIN + 1, tell);
	if (fcntl(fd, F_SETSIG, SIGRTMIN + 1) || fcntl(fd, F_NOTIFY, DN_CREATE | DN_MULTISHOT))
		test_skip("no dnotify");
	if (checkpoint_here() == 1)
		need(!fcntl(fd, F_NOTIFY, 0), "switch it off");
	write_file("watched/new", "");
	check(told == 1, "told %d times", told);
	test_done();
}
