// SPDX-License-Identifier: GPL-2.0-only
/*
 * Options of SOL_SOCKET with unusual values, on sockets of all families: getsockopt(2) returns the same values.
 * test: flavours=host,net net=own breaks=2 decode=yes
 */
#include "checkpoint.h"
#include "inet.h"
#include <linux/net_tstamp.h>
#include <netinet/tcp.h>
#include <sys/un.h>
#include <time.h>

#define OPTIONS 100
#define VALUE 64

struct value {
	int len; /* -1: no such option */
	char value[VALUE];
};

static const struct {
	int family, type;
	const char *name;
	bool newer; /* the newer types of timestamps */
} kinds[] = {
	{ AF_UNIX, SOCK_STREAM, "unix", false },    { AF_UNIX, SOCK_DGRAM, "unix datagram", true },
	{ AF_INET, SOCK_STREAM, "tcp", true },	    { AF_INET, SOCK_DGRAM, "udp", false },
	{ AF_INET6, SOCK_DGRAM, "udp6", true },	    { AF_INET6, SOCK_STREAM, "tcp6", false },
	{ AF_NETLINK, SOCK_RAW, "netlink", false }, { AF_PACKET, SOCK_RAW, "packet", true },
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

static const struct {
	int name, value;
} odd[] = {
	{ SO_REUSEADDR, 1 },
	{ SO_DONTROUTE, 1 },
	{ SO_BROADCAST, 1 },
	{ SO_KEEPALIVE, 1 },
	{ SO_OOBINLINE, 1 },
	{ SO_NO_CHECK, 1 },
	{ SO_PRIORITY, 5 },
	{ SO_REUSEPORT, 1 },
	{ SO_PASSCRED, 1 },
	{ SO_PASSSEC, 1 },
	{ SO_RCVLOWAT, 3 },
	{ SO_MARK, 0x1234 },
	{ 40, 1 },
	{ 41, 1 },
	{ 42, 7 },
	{ 43, 1 },
	{ 45, 1 },
	{ 46, 55 },
	{ 49, 1 },
	{ 60, 1 },
	{ 69, 1 },
	{ 72, 1 },
	{ 73, 4096 },
	{ 74, 0 },
	{ 75, 1 },
	{ 76, 1 },
	{ 82, 1 },
	{ 83, 0 },
	{ 1, 1 },
};

/* Neither a counter of the kernel, nor an option that creates something. */
static bool is_plain(int option)
{
	static const int others[] = { SO_ERROR, 55, 56, 57, 71, 77 };

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (others[i] == option)
			return false;
	return true;
}

static void read_options(int fd, struct value *to)
{
	for (int o = 1; o < OPTIONS; o++) {
		socklen_t len = VALUE;

		memset(&to[o], 0, sizeof(to[o]));
		to[o].len = is_plain(o) && !getsockopt(fd, SOL_SOCKET, o, to[o].value, &len) ? (int)len : -1;
	}
}

/* A family rejects options that it does not have. */
static void make_odd(int fd, bool newer)
{
	struct linger linger = { 1, 9 };
	struct timeval slow = { 12, 340000 }, slower = { 77, 0 };
	uint64_t rate = 0x123456789aull;
	int clock[2] = { CLOCK_MONOTONIC, 2 }, size = 33333, n = 0,
	    stamps = SOF_TIMESTAMPING_RX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE;

	need(!setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)), "SO_SNDBUF");
	size = 1 << 22;
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)))
		need(!setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)), "SO_RCVBUF");
	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++)
		n += !setsockopt(fd, SOL_SOCKET, odd[i].name, &odd[i].value, sizeof(int));
	need(n > 10, "%d options", n);
	need(!setsockopt(fd, SOL_SOCKET, newer ? 65 : 37, &stamps, sizeof(stamps)), "SO_TIMESTAMPING: %m");
	n = 1;
	need(!setsockopt(fd, SOL_SOCKET, newer ? 63 : 35, &n, sizeof(n)), "timestamps: %m");
	need(!setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)), "SO_LINGER");
	need(!setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &slow, sizeof(slow)), "SO_RCVTIMEO");
	need(!setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &slower, sizeof(slower)), "SO_SNDTIMEO");
	need(!setsockopt(fd, SOL_SOCKET, 47, &rate, sizeof(rate)), "SO_MAX_PACING_RATE: %m");
	need(!setsockopt(fd, SOL_SOCKET, 61, clock, sizeof(clock)), "SO_TXTIME: %m");
	need(!setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3), "SO_BINDTODEVICE: %m");
}

int main(int argc, char **argv)
{
	static struct value before[KINDS][OPTIONS], after[OPTIONS];
	int fds[KINDS], other, brk;

	test_init(argc, argv);
	for (size_t i = 0; i < KINDS; i++) {
		fds[i] = inet_socket(kinds[i].family, kinds[i].type, 0);
		make_odd(fds[i], kinds[i].newer);
		read_options(fds[i], before[i]);
	}
	brk = checkpoint_here();
	other = brk == 1 ? 0 : 6;
	if (brk)
		need(!setsockopt(fds[brk], SOL_SOCKET, brk == 1 ? SO_BROADCAST : SO_PRIORITY, &other, sizeof(other)),
		     "%m");
	for (size_t i = 0; i < KINDS; i++) {
		read_options(fds[i], after);
		for (int o = 1; o < OPTIONS; o++) {
			const struct value *was = &before[i][o], *is = &after[o];
			int a, b;

			memcpy(&a, was->value, sizeof(a));
			memcpy(&b, is->value, sizeof(b));
			check(was->len == is->len && !memcmp(was->value, is->value, VALUE),
			      "%s: option %d was %d (%#x), is %d (%#x)", kinds[i].name, o, was->len, a, is->len, b);
		}
	}
	test_done();
}
