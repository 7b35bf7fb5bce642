// SPDX-License-Identifier: GPL-2.0-only
/*
 * A netlink socket that was overrun: whoever looks into its queue takes the error away.
 * test: net=own variants=running breaks=1
 */
#include "checkpoint.h"
#include "inet.h"
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <poll.h>
#include <sys/ioctl.h>

static void set_device(const char *name, bool up)
{
	int fd = inet_socket(AF_INET, SOCK_DGRAM, 0);
	struct ifreq req = { 0 };

	strcpy(req.ifr_name, name);
	need(!ioctl(fd, SIOCGIFFLAGS, &req), "flags of %s: %m", name);
	req.ifr_flags = (short)(up ? req.ifr_flags | IFF_UP : req.ifr_flags & ~IFF_UP);
	need(!ioctl(fd, SIOCSIFFLAGS, &req), "%s: %m", name);
	close(fd);
}

static bool failed(int fd)
{
	struct pollfd p = { .fd = fd };

	return poll(&p, 1, 0) > 0 && (p.revents & POLLERR);
}

/* Too small for what is told to it. */
static int overrun(void)
{
	struct sockaddr_nl name = { .nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK };
	int fd = inet_socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);

	inet_set(fd, SOL_SOCKET, SO_RCVBUF, 1);
	need(!bind(fd, (struct sockaddr *)&name, sizeof(name)), "bind: %m");
	for (int i = 0; i < 100 && !failed(fd); i++)
		set_device("lo", i & 1);
	set_device("lo", true);
	need(failed(fd), "it is not overrun");
	return fd;
}

int main(int argc, char **argv)
{
	int fd;

	test_init(argc, argv);
	fd = overrun();
	if (checkpoint_here())
		inet_get(fd, SOL_SOCKET, SO_ERROR);
	check(inet_get(fd, SOL_SOCKET, SO_ERROR) == ENOBUFS, "the error is gone");
	test_done();
}
