// SPDX-License-Identifier: GPL-2.0-only
/*
 * Options of internet sockets: every one that getsockopt(2) returns, of every level and number, is set to another value
 * where setsockopt(2) permits; all keep their values.
 * test: flavours=host,net net=own breaks=2 decode=yes options=--tcp-established restore-options=--tcp-established
 */
#include "checkpoint.h"
#include "inet.h"

#define NAMES 128
#define VALUE 256

struct option_value {
	int len; /* -1: no such option */
	char value[VALUE];
};

static const int levels[] = { SOL_IP, SOL_IPV6, IPPROTO_TCP, IPPROTO_UDP, IPPROTO_UDPLITE, SOL_RAW, IPPROTO_ICMPV6 };
#define LEVELS (sizeof(levels) / sizeof(levels[0]))

enum stage { NEW, LISTENING, CONNECTED };

static const struct kind {
	const char *name;
	int family, type, protocol;
	enum stage stage;
	int least; /* at least this many have been changed */
} kinds[] = {
	{ "TCP", AF_INET, SOCK_STREAM, 0, NEW, 45 },
	{ "TCP, listening", AF_INET, SOCK_STREAM, 0, LISTENING, 45 },
	{ "TCP, connected", AF_INET, SOCK_STREAM, 0, CONNECTED, 40 },
	{ "TCP over IPv6", AF_INET6, SOCK_STREAM, 0, NEW, 75 },
	{ "TCP over IPv6, listening", AF_INET6, SOCK_STREAM, 0, LISTENING, 75 },
	{ "TCP over IPv6, connected", AF_INET6, SOCK_STREAM, 0, CONNECTED, 70 },
	{ "UDP", AF_INET, SOCK_DGRAM, 0, NEW, 25 },
	{ "UDP, connected", AF_INET, SOCK_DGRAM, 0, CONNECTED, 25 },
	{ "UDP over IPv6", AF_INET6, SOCK_DGRAM, 0, NEW, 60 },
	{ "UDP over IPv6, connected", AF_INET6, SOCK_DGRAM, 0, CONNECTED, 60 },
	{ "UDP-Lite", AF_INET, SOCK_DGRAM, IPPROTO_UDPLITE, NEW, 25 },
	{ "UDP-Lite over IPv6", AF_INET6, SOCK_DGRAM, IPPROTO_UDPLITE, NEW, 60 },
	{ "raw", AF_INET, SOCK_RAW, 99, NEW, 20 },
	{ "raw, IP_HDRINCL", AF_INET, SOCK_RAW, IPPROTO_RAW, NEW, 20 },
	{ "raw ICMP", AF_INET, SOCK_RAW, IPPROTO_ICMP, NEW, 20 },
	{ "raw over IPv6", AF_INET6, SOCK_RAW, 99, NEW, 30 },
	{ "raw over IPv6, IP_HDRINCL", AF_INET6, SOCK_RAW, IPPROTO_RAW, NEW, 30 },
	{ "raw ICMPv6", AF_INET6, SOCK_RAW, IPPROTO_ICMPV6, NEW, 30 },
	{ "ping", AF_INET, SOCK_DGRAM, IPPROTO_ICMP, NEW, 20 },
	{ "ping over IPv6", AF_INET6, SOCK_DGRAM, IPPROTO_ICMPV6, NEW, 40 },
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

/* Not settings: counters, actions, and what turns the socket into one of another type. */
static const struct {
	int level, name;
} others[] = {
	{ SOL_IP, 9 /* IP_PKTOPTIONS */ },
	{ SOL_IP, 14 /* IP_MTU */ },
	{ SOL_IPV6, 1 /* IPV6_ADDRFORM */ },
	{ SOL_IPV6, 6 /* IPV6_2292PKTOPTIONS */ },
	{ SOL_IPV6, 24 /* IPV6_MTU */ },
	{ SOL_IPV6, 61 /* IPV6_PATHMTU */ },
	{ IPPROTO_TCP, 11 /* TCP_INFO */ },
	{ IPPROTO_TCP, 19 /* TCP_REPAIR */ },
	{ IPPROTO_TCP, 20 /* TCP_REPAIR_QUEUE */ },
	{ IPPROTO_TCP, 21 /* TCP_QUEUE_SEQ */ },
	{ IPPROTO_TCP, 22 /* TCP_REPAIR_OPTIONS */ },
	{ IPPROTO_TCP, 24 /* TCP_TIMESTAMP */ },
	{ IPPROTO_TCP, 26 /* TCP_CC_INFO */ },
	{ IPPROTO_TCP, 29 /* TCP_REPAIR_WINDOW */ },
	{ IPPROTO_TCP, 31 /* TCP_ULP */ },
	{ IPPROTO_TCP, 35 /* TCP_ZEROCOPY_RECEIVE */ },
	{ IPPROTO_UDPLITE, 1 },
	{ SOL_IPV6, 22 /* IPV6_ROUTER_ALERT: refused */ },
};

static bool is_setting(const struct kind *kind, int level, int name)
{
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (others[i].level == level && others[i].name == name)
			return false;
	/* The MSS of a connection is measured; the address that a socket is bound to sets the other option. */
	return kind->stage != CONNECTED ||
	       !((level == IPPROTO_TCP && name == TCP_MAXSEG) || (level == SOL_IPV6 && name == IPV6_V6ONLY));
}

static void read_value(const struct kind *kind, int fd, int level, int name, struct option_value *to)
{
	socklen_t len = VALUE;

	memset(to, 0, sizeof(*to));
	to->len = is_setting(kind, level, name) && !getsockopt(fd, level, name, to->value, &len) ? (int)len : -1;
}

static void read_all(const struct kind *kind, int fd, struct option_value to[LEVELS][NAMES])
{
	for (size_t l = 0; l < LEVELS; l++)
		for (int n = 0; n < NAMES; n++)
			read_value(kind, fd, levels[l], n, &to[l][n]);
}

static bool set_value(const struct kind *kind, int fd, int level, int name, const void *value, socklen_t len)
{
	struct option_value before, after;

	read_value(kind, fd, level, name, &before);
	if (before.len < 0 || setsockopt(fd, level, name, value, len) < 0)
		return false;
	read_value(kind, fd, level, name, &after);
	return before.len != after.len || memcmp(before.value, after.value, VALUE);
}

/* The first value that changes something is kept. */
static bool change_value(const struct kind *kind, int fd, int level, int name)
{
	static const int candidates[] = { 1, 2, 0, 3, 16, 48, 100, 1000, 4000, 30000 };
	static const struct {
		int level, name, value;
	} special[] = {
		{ SOL_IP, IP_TTL, 33 },
		{ SOL_IP, IP_TOS, 0x48 },
		{ SOL_IP, 50 /* IP_UNICAST_IF */, 1 << 24 },
		{ SOL_IP, 51 /* IP_LOCAL_PORT_RANGE */, 0x9c409c00 },
		{ SOL_IP, IP_MULTICAST_IF, 0x100007f },
		{ SOL_IP, IP_MULTICAST_TTL, 7 },
		{ SOL_IPV6, 76 /* IPV6_UNICAST_IF */, 1 << 24 },
		{ SOL_IPV6, IPV6_UNICAST_HOPS, 34 },
		{ SOL_IPV6, IPV6_MULTICAST_HOPS, 8 },
		{ IPPROTO_TCP, TCP_WINDOW_CLAMP, 9000 },
		{ IPPROTO_TCP, TCP_DEFER_ACCEPT, 30 },
		{ IPPROTO_UDP, 100 /* UDP_ENCAP_ESPINUDP */, 2 },
		{ IPPROTO_UDPLITE, 100, 2 },
	};

	for (size_t i = 0; i < sizeof(special) / sizeof(special[0]); i++)
		if (special[i].level == level && special[i].name == name)
			return set_value(kind, fd, level, name, &special[i].value, sizeof(int));
	for (size_t i = 0; i < sizeof(candidates) / sizeof(candidates[0]); i++)
		if (set_value(kind, fd, level, name, &candidates[i], sizeof(int)))
			return true;
	return false;
}

/* Options that are more than a number. */
static int change_long(const struct kind *kind, int fd)
{
	static const char nops[4] = { 1, 1, 1, 0 }, header[8] = { 0, 0, 1, 4 }, key[16] = "sixteen bytes of",
			  keys[32] = "thirty-two bytes for two of them";
	/* Type 4, without intermediate hops. RFC 8754 */
	static const char route[24] = { 0, 2, 4, 0, 0, 0, 0, 0, [23] = 1 };
	int n = 0;

	n += set_value(kind, fd, SOL_IP, IP_OPTIONS, nops, sizeof(nops));
	if (kind->family == AF_INET6) {
		n += set_value(kind, fd, SOL_IPV6, IPV6_HOPOPTS, header, sizeof(header));
		n += set_value(kind, fd, SOL_IPV6, IPV6_DSTOPTS, header, sizeof(header));
		if (kind->type != SOCK_STREAM)
			need(set_value(kind, fd, SOL_IPV6, IPV6_RTHDR, route, sizeof(route)), "%s: IPV6_RTHDR: %m",
			     kind->name);
		need(set_value(kind, fd, SOL_IPV6, IPV6_RTHDRDSTOPTS, header, sizeof(header)),
		     "%s: IPV6_RTHDRDSTOPTS: %m", kind->name);
	}
	if (kind->type != SOCK_STREAM)
		return n;
	need(set_value(kind, fd, IPPROTO_TCP, TCP_CONGESTION, "reno", 4) ||
		     set_value(kind, fd, IPPROTO_TCP, TCP_CONGESTION, "cubic", 5),
	     "TCP_CONGESTION: %m");
	/* A second key, beside the first. */
	need(set_value(kind, fd, IPPROTO_TCP, 33 /* TCP_FASTOPEN_KEY */, kind->stage == NEW ? key : keys,
		       kind->stage == NEW ? sizeof(key) : sizeof(keys)),
	     "TCP_FASTOPEN_KEY: %m");
	return n + 2;
}

static void change_all(const struct kind *kind, int fd)
{
	int n = change_long(kind, fd);

	for (size_t l = 0; l < LEVELS; l++)
		for (int name = 0; name < NAMES; name++)
			n += change_value(kind, fd, levels[l], name);
	need(n >= kind->least, "%s: only %d options have been changed", kind->name, n);
}

static int new_socket(const struct kind *kind)
{
	const char *host = kind->family == AF_INET ? "127.0.0.1" : "::1";
	int fd = inet_socket(kind->family, kind->type, kind->protocol), listening = -1, port;

	if (kind->stage == NEW)
		return fd;
	if (kind->stage == LISTENING) {
		inet_bind(fd, kind->family, host, 0);
		need(!listen(fd, 5), "listen: %m");
		return fd;
	}
	listening = inet_socket(kind->family, kind->type, kind->protocol);
	inet_bind(listening, kind->family, host, 0);
	port = inet_port(listening);
	if (kind->type == SOCK_STREAM)
		need(!listen(listening, 5), "listen: %m");
	need(!inet_connect(fd, kind->family, host, port), "connect: %m");
	if (kind->type == SOCK_STREAM) {
		need(accept(listening, NULL, NULL) >= 0, "accept: %m");
		close(listening);
	}
	return fd;
}

static void compare(const struct kind *kind, struct option_value was[LEVELS][NAMES],
		    struct option_value is[LEVELS][NAMES])
{
	for (size_t l = 0; l < LEVELS; l++) {
		for (int n = 0; n < NAMES; n++) {
			int a, b;

			memcpy(&a, was[l][n].value, sizeof(a));
			memcpy(&b, is[l][n].value, sizeof(b));
			check(was[l][n].len == is[l][n].len && !memcmp(was[l][n].value, is[l][n].value, VALUE),
			      "%s: option %d of level %d was %d (%#x, %d bytes), is %d (%#x, %d bytes)", kind->name, n,
			      levels[l], a, a, was[l][n].len, b, b, is[l][n].len);
		}
	}
}

int main(int argc, char **argv)
{
	static struct option_value before[KINDS][LEVELS][NAMES], after[LEVELS][NAMES];
	int fds[KINDS], brk;

	test_init(argc, argv);
	write_file("/proc/sys/net/ipv4/ping_group_range", "0 2147483647");
	for (size_t i = 0; i < KINDS; i++) {
		fds[i] = new_socket(&kinds[i]);
		change_all(&kinds[i], fds[i]);
		read_all(&kinds[i], fds[i], before[i]);
	}
	brk = checkpoint_here();
	if (brk == 1)
		inet_set(fds[1], IPPROTO_TCP, TCP_SYNCNT, 5);
	if (brk == 2)
		inet_set(fds[8], SOL_IPV6, IPV6_RECVTCLASS, 0);
	for (size_t i = 0; i < KINDS; i++) {
		read_all(&kinds[i], fds[i], after);
		compare(&kinds[i], before[i], after);
	}
	test_done();
}
