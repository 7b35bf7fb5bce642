// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sockets of a network namespace that no process is in, a unix and an internet socket: both are refused by name.
 * test: refused='(?s)(?=.*\bfd 300\b\S* socket:\[\d+\]: a socket of a network namespace that no process)(?=.*\bfd 301\b\S* socket:\[\d+\]: a socket of a network namespace that no process)'
 */
#include "checkpoint.h"
#include "inet.h"
#include <sched.h>

static void make(int domain, int number)
{
	int fd = socket(domain, SOCK_DGRAM, 0);

	need(fd >= 0 && dup2(fd, number) == number && !close(fd), "socket");
}

int main(int argc, char **argv)
{
	struct sockaddr_in any = { .sin_family = AF_INET };
	int home;

	test_init(argc, argv);
	home = open("/proc/self/ns/net", O_RDONLY);
	need(home >= 0 && !unshare(CLONE_NEWNET), "namespace");
	make(AF_UNIX, 300);
	make(AF_INET, 301);
	need(!setns(home, CLONE_NEWNET) && !close(home), "return");
	if (checkpoint_here())
		close(301);
	check(!bind(300, &(struct sockaddr){ .sa_family = AF_UNIX }, sizeof(sa_family_t)), "the unix socket");
	check(!bind(301, (void *)&any, sizeof(any)), "the internet socket");
	test_done();
}
