// SPDX-License-Identifier: GPL-2.0-only
/*
 * Two terminals with the same index, in two instances of devpts.
 * test: refused='terminal 0 is in another devpts'
 */
#include "checkpoint.h"
#include "pty_instance.h"

int main(int argc, char **argv)
{
	int other, other_slave, here, here_slave;
	char buf[16];

	test_init(argc, argv);
	other_slave = open_pair_in(own_devpts(), &other);
	here_slave = open_pair_in("/dev/pts", &here);
	need(write(other, "other\n", 6) == 6 && write(here, "here\n", 5) == 5, "write");
	if (checkpoint_here())
		need(read(other_slave, buf, 3) == 3, "break");
	check(read(other_slave, buf, sizeof(buf)) == 6 && !memcmp(buf, "other\n", 6), "the other");
	check(read(here_slave, buf, sizeof(buf)) == 5 && !memcmp(buf, "here\n", 5), "the usual one");
	test_done();
}
