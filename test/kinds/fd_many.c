// SPDX-License-Identifier: GPL-2.0-only
/*
 * A table of 10,000 descriptors, some higher numbers, and a limit below what is in use.
 * test: breaks=1
 */
#include "checkpoint.h"
#include <sys/resource.h>

#define COUNT 10000
#define FREE 50 /* the library needs one below the limit */

int main(int argc, char **argv)
{
	struct rlimit rl, low;
	int wrong_ones = 0;

	test_init(argc, argv);
	getrlimit(RLIMIT_NOFILE, &rl);
	if (rl.rlim_max < COUNT + 2000)
		test_skip("RLIMIT_NOFILE is below 12000");
	rl.rlim_cur = COUNT + 2000;
	setrlimit(RLIMIT_NOFILE, &rl);
	write_file("data", "0123456789");
	for (int i = 0; i < COUNT; i++) {
		int fd = i % 10 ? open("/dev/null", O_RDWR) : open("data", O_RDONLY);

		need(fd >= 0, "open %d", i);
		if (i % 10 == 0)
			lseek(fd, fd, SEEK_SET);
		if (i % 3 == 0)
			fcntl(fd, F_SETFD, FD_CLOEXEC);
	}
	need(dup2(5, COUNT + 1999) == COUNT + 1999, "high number");
	close(FREE);
	low = (struct rlimit){ 100, rl.rlim_max };
	need(!setrlimit(RLIMIT_NOFILE, &low), "low limit");

	if (checkpoint_here())
		close(7777);

	check(!getrlimit(RLIMIT_NOFILE, &rl) && rl.rlim_cur == 100, "limit %lu", rl.rlim_cur);
	for (int fd = 3; fd < COUNT + 3; fd++) {
		int i = fd - 3;

		if (fd == FREE)
			continue;
		wrong_ones += fcntl(fd, F_GETFD) != (i % 3 == 0 ? FD_CLOEXEC : 0);
		if (i % 10 == 0)
			wrong_ones += lseek(fd, 0, SEEK_CUR) != fd;
	}
	check(!wrong_ones, "%d descriptors are wrong", wrong_ones);
	check(fcntl(COUNT + 1999, F_GETFD) == 0, "the high number");
	check(fcntl(COUNT + 3, F_GETFD) < 0, "one too many");
	test_done();
}
