// SPDX-License-Identifier: GPL-2.0-only
/*
 * SOCK_PACKET: packet sockets that are bound by a device name, and get their protocol from socket(2).
 * test: flavours=host,net net=own breaks=1 decode=yes
 */
#include "checkpoint.h"
#include "inet.h"
#include <linux/if_ether.h>
#include <poll.h>

#ifndef SOCK_PACKET
#define SOCK_PACKET 10
#endif

static int make(int protocol, const char *device)
{
	int fd = socket(AF_PACKET, SOCK_PACKET, htons((uint16_t)protocol));
	struct sockaddr name = { .sa_family = AF_PACKET };

	if (fd < 0)
		test_skip("this kernel has no SOCK_PACKET");
	memcpy(name.sa_data, device, strlen(device));
	need(!device[0] || !bind(fd, &name, sizeof(name)), "bind to %s: %m", device);
	return fd;
}

static void send_on(int family, const char *host)
{
	int fd = inet_socket(family, SOCK_DGRAM, 0);
	union inet_name to;
	socklen_t len = inet_name(&to, family, host, 9);

	need(sendto(fd, "x", 1, 0, &to.any, len) == 1, "send: %m");
	close(fd);
}

/* Frames of that protocol, and no others. */
static void expect_frame(int fd, int protocol, const char *what)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	unsigned char frame[256];
	int n = 0;

	check(poll(&p, 1, 3000) == 1, "%s: receives nothing", what);
	while (recv(fd, frame, sizeof(frame), MSG_DONTWAIT) > 0) {
		check(frame[12] << 8 == (protocol & 0xff00) && frame[13] == (protocol & 0xff), "%s: receives %02x%02x",
		      what, frame[12], frame[13]);
		n++;
	}
	check(n > 0, "%s: %d frames", what, n);
}

static const char *bound_to(int fd)
{
	static struct sockaddr name;
	socklen_t len = sizeof(name);

	return getsockname(fd, &name, &len) ? "?" : name.sa_data;
}

int main(int argc, char **argv)
{
	int four, six, any;

	test_init(argc, argv);
	four = make(ETH_P_IP, "lo");
	six = make(ETH_P_IPV6, "lo");
	any = make(ETH_P_IP, "");
	if (checkpoint_here())
		close(six);
	check(inet_get(four, SOL_SOCKET, SO_TYPE) == SOCK_PACKET, "type");
	check(!strcmp(bound_to(four), "lo") && !strcmp(bound_to(six), "lo") && !bound_to(any)[0], "bound to '%s', '%s'",
	      bound_to(four), bound_to(any));
	send_on(AF_INET, "127.0.0.1");
	send_on(AF_INET6, "::1");
	expect_frame(four, ETH_P_IP, "IPv4");
	expect_frame(six, ETH_P_IPV6, "IPv6");
	expect_frame(any, ETH_P_IP, "any device");
	test_done();
}
