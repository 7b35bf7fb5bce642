// SPDX-License-Identifier: GPL-2.0-only
/*
 * Packet sockets of a device that is down: some have been asked for the error, some not.
 * test: net=own breaks=1
 */
#include "checkpoint.h"
#include "inet.h"
#include <linux/if_ether.h>
#include <linux/if_packet.h>
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

static int packet(bool ask)
{
	struct sockaddr_ll lo = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL) };
	int fd = inet_socket(AF_PACKET, SOCK_RAW, 0);

	lo.sll_ifindex = (int)if_nametoindex("lo");
	need(!bind(fd, (struct sockaddr *)&lo, sizeof(lo)), "bind: %m");
	need(failed(fd), "the device is down, and nothing is said of it");
	if (ask)
		need(inet_get(fd, SOL_SOCKET, SO_ERROR) == ENETDOWN, "SO_ERROR");
	return fd;
}

int main(int argc, char **argv)
{
	int told, asked;

	test_init(argc, argv);
	set_device("lo", false);
	told = packet(false);
	asked = packet(true);
	if (checkpoint_here())
		inet_get(told, SOL_SOCKET, SO_ERROR);
	check(failed(told) && inet_get(told, SOL_SOCKET, SO_ERROR) == ENETDOWN, "packet");
	check(!failed(asked) && !inet_get(asked, SOL_SOCKET, SO_ERROR), "packet, asked");
	test_done();
}
