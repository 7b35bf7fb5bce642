// SPDX-License-Identifier: GPL-2.0-only
/*
 * tun and tap devices of own network namespaces: with one descriptor, with several queues, persistent with and without a descriptor,
 * without a carrier, as port of a bridge; one whose descriptor is in a process of another namespace. They have all properties,
 * and packets pass.
 * test: net=own breaks=4 decode=yes ignore=fd/[0-9]+/pos
 */
#include "inet.h"
#include "net_show.h"
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>

static int attach_with(const char *name, int flags, int mode)
{
	struct ifreq ifr = { 0 };
	int fd = open("/dev/net/tun", mode | O_NONBLOCK);

	if (fd < 0)
		test_skip("no /dev/net/tun");
	strcpy(ifr.ifr_name, name);
	ifr.ifr_flags = (short)flags;
	need(!ioctl(fd, TUNSETIFF, &ifr), "TUNSETIFF %s: %m", name);
	return fd;
}

static int attach(const char *name, int flags)
{
	return attach_with(name, flags, O_RDWR);
}

static unsigned flags_of(int fd, const char *name)
{
	struct ifreq ifr = { 0 };

	check(!ioctl(fd, TUNGETIFF, &ifr) && !strcmp(ifr.ifr_name, name), "device %s (not %s)", ifr.ifr_name, name);
	return (unsigned short)ifr.ifr_flags;
}

static int value_of(int fd, unsigned long request)
{
	int value = -1;

	check(!ioctl(fd, request, &value), "ioctl %#lx: %m", request);
	return value;
}

/* A datagram to an address behind the device arrives at the descriptor. */
static void ping(int fd, const char *address)
{
	int sock = inet_socket(AF_INET, SOCK_DGRAM, 0);
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(99) };
	char packet[2048];
	bool found = false;

	inet_pton(AF_INET, address, &to.sin_addr);
	check(sendto(sock, "hello there", 11, 0, (struct sockaddr *)&to, sizeof(to)) == 11, "sendto %s: %m", address);
	for (int n = 0; n < 200 && !found; n++) {
		ssize_t len = read(fd, packet, sizeof(packet));

		if (len < 0)
			sleep_ms(10);
		found = len == 20 + 8 + 11 && !memcmp(packet + 28, "hello there", 11);
	}
	check(found, "no packet for %s", address);
	close(sock);
}

static int moved = -1;

/* A program that has opened a device outside, and given it to this namespace. */
static int other(void *arg)
{
	need(!unshare(CLONE_NEWNET), "unshare");
	net_do("ip link set lo up");
	task_ready("namespace");
	while (access("moved", F_OK))
		sleep_ms(1);
	net_do("ip link set away addrgenmode none; ip addr add 10.70.0.1/24 dev away; ip link set away up; ip tuntap add dev quiet mode tap user 99 group 98;"
	       "ip link set quiet address 02:00:00:00:00:77 mtu 1234 alias quiet");
	sleep_ms(1500);
	net_show("other");
	checkpoint_task("shown", 0);
	while (access("compared", F_OK)) /* both write to the same files */
		sleep_ms(1);
	net_check_same("other");
	ping(moved, "10.70.0.2");
	return 0;
}

int main(int argc, char **argv)
{
	int tun, tap, q1, q2, none, off, writer, brk, sndbuf = 54321, hdr = 12, zero = 0, one = 1;
	unsigned before[4];
	struct ifreq ifr = { .ifr_flags = IFF_DETACH_QUEUE };
	char text[100];
	pid_t pid;

	test_init(argc, argv);
	net_need_tools();
	need(!unshare(CLONE_NEWNET), "unshare");
	tun = attach("tun5", IFF_TUN | IFF_NO_PI);
	none = open("/dev/net/tun", O_RDONLY | O_CLOEXEC);
	need(!ioctl(tun, TUNSETSNDBUF, &sndbuf), "TUNSETSNDBUF");
	tap = attach("tap5", IFF_TAP | IFF_NO_PI | IFF_VNET_HDR);
	need(!ioctl(tap, TUNSETPERSIST, 1) && !ioctl(tap, TUNSETOWNER, 77) && !ioctl(tap, TUNSETVNETHDRSZ, &hdr),
	     "tap5");
	q1 = attach("many", IFF_TUN | IFF_MULTI_QUEUE);
	q2 = attach("many", IFF_TUN | IFF_MULTI_QUEUE);
	need(!ioctl(q2, TUNSETQUEUE, &ifr), "detach");
	off = attach("off", IFF_TAP | IFF_NO_PI);
	need(!ioctl(off, TUNSETCARRIER, &zero), "carrier");
	writer = attach_with("writer", IFF_TUN | IFF_NO_PI, O_WRONLY);
	moved = attach("away", IFF_TUN | IFF_NO_PI);
	net_do("for d in tun5 many; do ip link set $d addrgenmode none; done; ip link set lo up; ip link set tun5 up mtu 1400 txqueuelen 77; ip addr add 10.9.8.1/24 dev tun5; ip addr add fd09::1/64 dev tun5;"
	       "ip route add 10.99.0.0/16 via 10.9.8.2; ip link add br0 type bridge; ip link set br0 up; ip link set tap5 address 02:00:00:00:00:55;"
	       "ip link set tap5 master br0 up; ip link set many up group 5; ip link property add dev many altname queues;"
	       "ip link set off up");
	pid = fork_task(other, NULL);
	await_task("namespace");
	snprintf(text, sizeof(text), "ip link set away netns %d", pid);
	net_do(text);
	write_file("moved", "");
	await_task("shown");
	sleep_ms(1500); /* addresses are no longer tentative */
	before[0] = flags_of(tap, "tap5");
	before[1] = flags_of(q2, "many");
	before[2] = flags_of(q1, "many");
	before[3] = flags_of(tun, "tun5");
	ping(tun, "10.9.8.2");
	net_show("before");

	brk = checkpoint_here();
	if (brk == 1)
		net_do("ip link set tun5 txqueuelen 78");
	if (brk == 2)
		ioctl(tap, TUNSETPERSIST, 0);
	if (brk == 3)
		close(q1);
	if (brk == 4)
		ioctl(off, TUNSETCARRIER, &one);

	net_check_same("before");
	write_file("compared", "");
	check(flags_of(tap, "tap5") == before[0] && before[0] & IFF_PERSIST, "flags %x", before[0]);
	check(flags_of(q2, "many") == before[1] && before[1] & IFF_DETACH_QUEUE, "flags %x", before[1]);
	check(flags_of(q1, "many") == before[2] && flags_of(tun, "tun5") == before[3], "flags");
	check(value_of(tun, TUNGETSNDBUF) == sndbuf && value_of(tap, TUNGETVNETHDRSZ) == hdr, "sizes");
	check(ioctl(none, TUNGETIFF, &ifr) < 0 && errno == EBADFD, "without a device");
	ping(tun, "10.9.8.2");
	ping(tun, "10.99.3.4");
	check(!(flags_of(writer, "writer") & IFF_PERSIST), "it has become persistent");
	join_task(pid);
	close(tun);
	close(tap);
	close(moved);
	check(!if_nametoindex("tun5") && if_nametoindex("tap5"), "what is persistent");
	test_done();
}
