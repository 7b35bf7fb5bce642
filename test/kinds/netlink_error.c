// SPDX-License-Identifier: GPL-2.0-only
/*
 * A netlink socket that was overrun: peeking into its queue would clear the error.
 * test: flavours=host,net net=own variants=running breaks=1
 */
#include "checkpoint.h"
#include "netdev.h"
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

/* Too small for the notifications. */
static int overrun(void)
{
	struct sockaddr_nl name = { .nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK };
	int fd = inet_socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);

	inet_set(fd, SOL_SOCKET, SO_RCVBUF, 1);
	need(!bind(fd, (struct sockaddr *)&name, sizeof(name)), "bind: %m");
	for (int i = 0; i < 100 && !socket_has_error(fd); i++)
		netdev_set_up("lo", i & 1);
	netdev_set_up("lo", true);
	need(socket_has_error(fd), "not overrun");
	return fd;
}

int main(int argc, char **argv)
{
	int fd;

	test_init(argc, argv);
	fd = overrun();
	if (checkpoint_here())
		inet_get(fd, SOL_SOCKET, SO_ERROR);
	check(inet_get(fd, SOL_SOCKET, SO_ERROR) == ENOBUFS, "the error is lost");
	test_done();
}
