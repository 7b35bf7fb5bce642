/* SPDX-License-Identifier: GPL-2.0-only */
/* Devices that go down, and the resulting errors of sockets. */
#ifndef TEST_NETDEV_H
#define TEST_NETDEV_H

#include <net/if.h>
#include <poll.h>
#include <sys/ioctl.h>
#include "inet.h"

static inline void netdev_set_up(const char *name, bool up)
{
	int fd = inet_socket(AF_INET, SOCK_DGRAM, 0);
	struct ifreq req = { 0 };

	strcpy(req.ifr_name, name);
	need(!ioctl(fd, SIOCGIFFLAGS, &req), "flags of %s: %m", name);
	req.ifr_flags = (short)(up ? req.ifr_flags | IFF_UP : req.ifr_flags & ~IFF_UP);
	need(!ioctl(fd, SIOCSIFFLAGS, &req), "%s: %m", name);
	close(fd);
}

static inline bool socket_has_error(int fd)
{
	struct pollfd p = { .fd = fd };

	return poll(&p, 1, 0) > 0 && (p.revents & POLLERR);
}

#endif
