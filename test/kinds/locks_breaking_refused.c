// SPDX-License-Identifier: GPL-2.0-only
/*
 * A lease that is being broken: whoever opens the file waits for its holder, and no dump may let it pass.
 * test: options=--file-locks refused="lease on .*leased is being broken"
 */
#include "checkpoint.h"
#include <sys/syscall.h>

static int opener(void *arg)
{
	int fd = open("leased", O_RDONLY);

	check(fd >= 0 && !access("released", F_OK), "open did not wait");
	return 0;
}

int main(int argc, char **argv)
{
	pid_t kid;
	int fd;

	test_init(argc, argv);
	signal(SIGIO, SIG_IGN);
	fd = open("leased", O_RDWR | O_CREAT, 0600);
	need(!fcntl(fd, F_SETLEASE, F_WRLCK), "F_SETLEASE");
	kid = fork_task(opener, NULL);
	await_syscall(kid, SYS_openat);
	if (checkpoint_here())
		fcntl(fd, F_SETLEASE, F_UNLCK);
	sleep_ms(50); /* one that did not wait would get through */
	write_file("released", "");
	check(!fcntl(fd, F_SETLEASE, F_UNLCK), "release");
	join_task(kid);
	test_done();
}
