// SPDX-License-Identifier: GPL-2.0-only
/*
 * tun and tap devices: one that exists as long as its descriptor, with address and route; a persistent one; a
 * multi-queue device with one queue detached; a descriptor without a device. Packets flow in both directions
 * afterwards.
 * test: net=own breaks=2 decode=yes ignore=fd/[0-9]+/pos
 */
#include "checkpoint.h"
#include <arpa/inet.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

static int attach(const char *name, int flags)
{
	struct ifreq ifr = { 0 };
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK);

	if (fd < 0)
		test_skip("no /dev/net/tun");
	strcpy(ifr.ifr_name, name);
	ifr.ifr_flags = (short)flags;
	need(!ioctl(fd, TUNSETIFF, &ifr), "TUNSETIFF %s", name);
	return fd;
}

static void up(const char *name, const char *address)
{
	struct ifreq ifr = { 0 };
	struct sockaddr_in in = { .sin_family = AF_INET };
	int sock = socket(AF_INET, SOCK_DGRAM, 0);

	strcpy(ifr.ifr_name, name);
	inet_pton(AF_INET, address, &in.sin_addr);
	memcpy(&ifr.ifr_addr, &in, sizeof(in));
	need(!ioctl(sock, SIOCSIFADDR, &ifr), "address");
	inet_pton(AF_INET, "255.255.255.0", &in.sin_addr);
	memcpy(&ifr.ifr_netmask, &in, sizeof(in));
	need(!ioctl(sock, SIOCSIFNETMASK, &ifr), "mask");
	ifr.ifr_flags = IFF_UP | IFF_RUNNING;
	need(!ioctl(sock, SIOCSIFFLAGS, &ifr), "up");
	close(sock);
}

static unsigned flags_of(int fd, const char *name)
{
	struct ifreq ifr = { 0 };

	check(!ioctl(fd, TUNGETIFF, &ifr) && !strcmp(ifr.ifr_name, name), "device %s (not %s)", ifr.ifr_name, name);
	return (unsigned short)ifr.ifr_flags;
}

/* A datagram to @address, which is behind the device, arrives at the descriptor, after a header of that length. */
static void ping(int fd, const char *address, int header)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(99) };
	int sock = socket(AF_INET, SOCK_DGRAM, 0);
	char packet[2048];
	bool found = false;

	inet_pton(AF_INET, address, &to.sin_addr);
	check(sendto(sock, "hello there", 11, 0, (struct sockaddr *)&to, sizeof(to)) == 11, "sendto");
	for (int n = 0; n < 50 && !found; n++) {
		ssize_t len = read(fd, packet, sizeof(packet));

		if (len < 0)
			sleep_ms(20);
		found = len == header + 20 + 8 + 11 && !memcmp(packet + header + 28, "hello there", 11);
	}
	check(found, "no packet received");
	close(sock);
}

int main(int argc, char **argv)
{
	int tun, tap, q1, q2, none, brk, sndbuf = 54321, now = 0, hdr = 12;
	struct ifreq ifr = { 0 };
	unsigned before, before_q;

	test_init(argc, argv);
	tun = attach("tun5", IFF_TUN | IFF_NO_PI);
	up("tun5", "10.9.8.1");
	need(!ioctl(tun, TUNSETSNDBUF, &sndbuf), "TUNSETSNDBUF");
	tap = attach("tap5", IFF_TAP | IFF_NO_PI | IFF_VNET_HDR);
	need(!ioctl(tap, TUNSETPERSIST, 1) && !ioctl(tap, TUNSETOWNER, 77) && !ioctl(tap, TUNSETVNETHDRSZ, &hdr),
	     "persistent");
	q1 = attach("many", IFF_TUN | IFF_MULTI_QUEUE);
	q2 = attach("many", IFF_TUN | IFF_MULTI_QUEUE);
	ifr.ifr_flags = IFF_DETACH_QUEUE;
	need(!ioctl(q2, TUNSETQUEUE, &ifr), "detach");
	up("many", "10.10.8.1");
	none = open("/dev/net/tun", O_RDONLY | O_CLOEXEC);
	before = flags_of(tap, "tap5");
	before_q = flags_of(q2, "many");
	ping(tun, "10.9.8.2", 0);
	ping(q1, "10.10.8.2", 4);

	brk = checkpoint_here();
	if (brk == 1)
		close(tun);
	if (brk == 2)
		dup2(q1, q2);

	check(flags_of(tun, "tun5") == (IFF_TUN | IFF_NO_PI), "it has become persistent: flags %x",
	      flags_of(tun, "tun5"));
	check(!ioctl(tun, TUNGETSNDBUF, &now) && now == sndbuf, "sndbuf %d", now);
	check(flags_of(tap, "tap5") == before && before & IFF_PERSIST && before & IFF_VNET_HDR, "flags %x", before);
	check(!ioctl(tap, TUNGETVNETHDRSZ, &now) && now == hdr, "header of %d bytes", now);
	check(flags_of(q2, "many") == before_q && before_q & IFF_DETACH_QUEUE, "flags %x", flags_of(q2, "many"));
	check(!(flags_of(q1, "many") & IFF_DETACH_QUEUE), "the other queue");
	check(ioctl(none, TUNGETIFF, &ifr) < 0 && errno == EBADFD && fcntl(none, F_GETFD) == FD_CLOEXEC &&
		      (fcntl(none, F_GETFL) & O_ACCMODE) == O_RDONLY,
	      "without a device");
	ping(tun, "10.9.8.2", 0);
	ping(q1, "10.10.8.2", 4);
	close(tun);
	check(!if_nametoindex("tun5"), "it still exists");
	close(tap);
	check(if_nametoindex("tap5"), "the persistent one is gone");
	test_done();
}
