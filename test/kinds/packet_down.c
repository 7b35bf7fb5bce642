// SPDX-License-Identifier: GPL-2.0-only
/*
 * Packet sockets of a device that is down: the error of some has been queried, of others not.
 * test: flavours=host,net net=own breaks=1
 */
#include "checkpoint.h"
#include "netdev.h"
#include <linux/if_ether.h>
#include <linux/if_packet.h>

static int packet(bool ask)
{
	struct sockaddr_ll lo = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL) };
	int fd = inet_socket(AF_PACKET, SOCK_RAW, 0);

	lo.sll_ifindex = (int)if_nametoindex("lo");
	need(!bind(fd, (struct sockaddr *)&lo, sizeof(lo)), "bind: %m");
	need(socket_has_error(fd), "the device is down, but there is no pending error");
	if (ask)
		need(inet_get(fd, SOL_SOCKET, SO_ERROR) == ENETDOWN, "SO_ERROR");
	return fd;
}

int main(int argc, char **argv)
{
	int fresh, queried;

	test_init(argc, argv);
	netdev_set_up("lo", false);
	fresh = packet(false);
	queried = packet(true);
	if (checkpoint_here())
		inet_get(fresh, SOL_SOCKET, SO_ERROR);
	check(socket_has_error(fresh) && inet_get(fresh, SOL_SOCKET, SO_ERROR) == ENETDOWN, "packet");
	check(!socket_has_error(queried) && !inet_get(queried, SOL_SOCKET, SO_ERROR), "packet, queried");
	test_done();
}
