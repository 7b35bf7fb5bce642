// SPDX-License-Identifier: GPL-2.0-only
/*
 * A write lease on an unlinked file: its content cannot be read without breaking the lease, and the holder is not
 * signalled by the attempt.
 * test: options=--file-locks refused="unlinked, and reading it would break the lease"
 */
#include "checkpoint.h"

static volatile sig_atomic_t signalled;

static void on_break(int sig)
{
	signalled = 1;
}

int main(int argc, char **argv)
{
	int fd;

	test_init(argc, argv);
	signal(SIGIO, on_break);
	fd = open("leased", O_RDWR | O_CREAT, 0600);
	need(write(fd, "kept", 4) == 4, "write");
	need(!fcntl(fd, F_SETLEASE, F_WRLCK), "F_SETLEASE");
	need(!unlink("leased"), "unlink");
	if (checkpoint_here())
		signalled = 1;
	check(!signalled, "the lease was broken");
	check(fcntl(fd, F_GETLEASE) == F_WRLCK, "the lease");
	test_done();
}
