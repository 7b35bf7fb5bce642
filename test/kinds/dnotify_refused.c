// SPDX-License-Identifier: GPL-2.0-only
/*
 * A directory watched with F_NOTIFY is refused. One that is merely open is not.
 * test: refused="fd \d+: .+watched is or was watched with F_NOTIFY"
 */
#include "checkpoint.h"

static volatile sig_atomic_t signalled;

static void on_signal(int sig)
{
	signalled++;
}

int main(int argc, char **argv)
{
	int fd;

	test_init(argc, argv);
	need(!mkdir("watched", 0700) && open(".", O_RDONLY) >= 0, "mkdir");
	fd = open("watched", O_RDONLY | O_DIRECTORY);
	signal(SIGRTMIN + 1, on_signal);
	if (fcntl(fd, F_SETSIG, SIGRTMIN + 1) || fcntl(fd, F_NOTIFY, DN_CREATE | DN_MULTISHOT))
		test_skip("no dnotify");
	if (checkpoint_here() == 1)
		need(!fcntl(fd, F_NOTIFY, 0), "disable it");
	write_file("watched/new", "");
	check(signalled == 1, "signalled %d times", signalled);
	test_done();
}
