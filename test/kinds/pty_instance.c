// SPDX-License-Identifier: GPL-2.0-only
/*
 * A terminal in a separate devpts, beside one in the usual place.
 * test: breaks=1 decode=yes
 */
#include "checkpoint.h"
#include "pty_instance.h"

int main(int argc, char **argv)
{
	int other, other_slave, here, here_slave, number = -1;
	struct stat st, want;
	char buf[16];

	test_init(argc, argv);
	other_slave = open_pair_in(own_devpts(), &other);
	/* The next index, so that the two are different. */
	close(open_pair_in("/dev/pts", &here));
	here_slave = open_pair_in("/dev/pts", &number);
	close(here);
	here = number;
	need(!fstat(other_slave, &want), "stat");
	need(write(other, "to the other\n", 13) == 13, "write");
	if (checkpoint_here())
		need(read(other_slave, buf, 13) == 13, "break");
	check(read(other_slave, buf, sizeof(buf)) == 13 && !memcmp(buf, "to the other\n", 13), "unread data");
	check(!fstat(other_slave, &st) && st.st_dev == want.st_dev && st.st_rdev == want.st_rdev, "device");
	check(!ioctl(other, TIOCGPTN, &number) && number == 0, "number %d", number);
	check(!ioctl(here, TIOCGPTN, &number) && number == 1, "number %d", number);
	check(!fstat(here_slave, &st) && st.st_dev != want.st_dev, "device of the usual one");
	test_done();
}
