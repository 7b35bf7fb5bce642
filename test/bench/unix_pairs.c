// SPDX-License-Identifier: GPL-2.0-only
/*
 * A target of `make bench`: unix_pairs COUNT creates COUNT pairs with data queued in both ends, prints "ready", waits.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

int main(int argc, char **argv)
{
	long count = argc > 1 ? atol(argv[1]) : 0;
	struct rlimit limit;
	char text[600];

	if (getrlimit(RLIMIT_NOFILE, &limit))
		fail("getrlimit");
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit))
		fail("setrlimit");
	memset(text, 'x', sizeof(text));
	for (long i = 0; i < count; i++) {
		int ends[2];

		if (socketpair(AF_UNIX, i % 3 == 2 ? SOCK_SEQPACKET : i % 3 ? SOCK_DGRAM : SOCK_STREAM, 0, ends))
			fail("socketpair");
		for (int end = 0; end < 2; end++)
			for (int n = 0; n < 2; n++)
				if (write(ends[end], text, 100 + i % 500) < 0)
					fail("write");
	}
	if (write(1, "ready\n", 6) != 6)
		fail("write");
	for (;;)
		pause();
}
