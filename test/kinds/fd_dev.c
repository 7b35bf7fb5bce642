// SPDX-License-Identifier: GPL-2.0-only
/*
 * Devices without state.
 * test: breaks=1 decode=yes
 */
#include "checkpoint.h"
#include <sys/stat.h>
#include <sys/sysmacros.h>

int main(int argc, char **argv)
{
	const char *paths[] = { "/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom" };
	unsigned char buf[16];
	struct stat st, want;
	int fds[5];

	test_init(argc, argv);
	for (int i = 0; i < 5; i++)
		need((fds[i] = open(paths[i], i == 3 ? O_RDONLY | O_NONBLOCK : O_RDWR | O_CLOEXEC)) >= 0, "%s",
		     paths[i]);
	if (checkpoint_here())
		dup2(fds[0], fds[1]);
	for (int i = 0; i < 5; i++)
		check(!fstat(fds[i], &st) && !stat(paths[i], &want) && st.st_rdev == want.st_rdev, "%s is %u:%u",
		      paths[i], major(st.st_rdev), minor(st.st_rdev));
	check(!read(fds[0], buf, 16) && write(fds[0], buf, 16) == 16, "null");
	memset(buf, 1, sizeof(buf));
	check(read(fds[1], buf, 16) == 16 && !buf[0] && !buf[15], "zero");
	check(write(fds[2], buf, 16) < 0 && errno == ENOSPC, "full");
	check(read(fds[3], buf, 16) == 16 && read(fds[4], buf, 16) == 16, "random");
	check(fcntl(fds[3], F_GETFL) & O_NONBLOCK && fcntl(fds[4], F_GETFD) == FD_CLOEXEC, "flags");
	test_done();
}
