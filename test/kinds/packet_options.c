// SPDX-License-Identifier: GPL-2.0-only
/*
 * Options of packet sockets; two in a fanout group, one of them with a filter.
 * test: flavours=host,net net=own breaks=2 decode=yes
 */
#include "checkpoint.h"
#include "inet.h"
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>

static const int plain[][2] = {
	{ PACKET_VERSION, TPACKET_V2 }, { PACKET_RESERVE, 32 },	  { PACKET_AUXDATA, 1 },
	{ PACKET_ORIGDEV, 1 },		{ PACKET_LOSS, 1 },	  { PACKET_TIMESTAMP, 0x40 },
	{ PACKET_QDISC_BYPASS, 1 },	{ PACKET_TX_HAS_OFF, 1 }, { PACKET_IGNORE_OUTGOING, 1 },
	{ PACKET_VNET_HDR, 1 },
};
#define PLAIN (sizeof(plain) / sizeof(plain[0]))

static void send_frame(int from, struct sockaddr_ll *to, const char *text)
{
	to->sll_halen = 6;
	need(sendto(from, text, strlen(text), 0, (void *)to, sizeof(*to)) == (ssize_t)strlen(text), "send: %m");
}

static bool has_frame(int fd, const char *text, int wait)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char buf[64] = "";

	return poll(&p, 1, wait) == 1 && recv(fd, buf, sizeof(buf) - 1, 0) == (ssize_t)strlen(text) &&
	       !strcmp(buf, text);
}

int main(int argc, char **argv)
{
	/* Only frames that start with "y". */
	struct sock_filter code[] = { BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 0), BPF_JUMP(BPF_JMP | BPF_JEQ, 'y', 0, 1),
				      BPF_STMT(BPF_RET, 65535), BPF_STMT(BPF_RET, 0) };
	struct sock_fprog filter = { 4, code };
	struct sockaddr_ll all = { .sll_family = AF_PACKET,
				   .sll_protocol = htons(0x88b5),
				   .sll_ifindex = if_nametoindex("lo") };
	int odd = inet_socket(AF_PACKET, SOCK_RAW, 0), fans[2], chosen, sender, brk, taken[2] = { 0 };
	char byte;

	test_init(argc, argv);
	for (size_t i = 0; i < PLAIN; i++)
		inet_set(odd, SOL_PACKET, plain[i][0], plain[i][1]);
	for (int i = 0; i < 2; i++) {
		fans[i] = inet_socket(AF_PACKET, SOCK_DGRAM, 0);
		need(!bind(fans[i], (void *)&all, sizeof(all)), "bind: %m");
		inet_set(fans[i], SOL_PACKET, PACKET_FANOUT, 7 | PACKET_FANOUT_LB << 16);
	}
	chosen = inet_socket(AF_PACKET, SOCK_DGRAM, 0);
	need(!setsockopt(chosen, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter)), "filter: %m");
	need(!bind(chosen, (void *)&all, sizeof(all)), "bind: %m");

	brk = checkpoint_here();
	if (brk == 1)
		inet_set(odd, SOL_PACKET, PACKET_QDISC_BYPASS, 0);
	if (brk == 2)
		need(!setsockopt(chosen, SOL_SOCKET, SO_DETACH_FILTER, &brk, sizeof(brk)), "detach");

	for (size_t i = 0; i < PLAIN; i++)
		check(inet_get(odd, SOL_PACKET, plain[i][0]) == plain[i][1], "option %d: %d", plain[i][0],
		      inet_get(odd, SOL_PACKET, plain[i][0]));
	for (int i = 0; i < 2; i++)
		check(inet_get(fans[i], SOL_PACKET, PACKET_FANOUT) == (7 | PACKET_FANOUT_LB << 16), "fanout: %#x",
		      inet_get(fans[i], SOL_PACKET, PACKET_FANOUT));
	sender = inet_socket(AF_PACKET, SOCK_DGRAM, 0);
	send_frame(sender, &all, "no");
	send_frame(sender, &all, "yes");
	check(has_frame(chosen, "yes", 20000), "the filter passes what starts with y");
	check(!has_frame(chosen, "yes", 0), "and nothing else");
	/* One socket of the group gets each frame, in turns. */
	for (int i = 0; i < 2; i++) {
		struct pollfd p[2] = { { .fd = fans[0], .events = POLLIN }, { .fd = fans[1], .events = POLLIN } };

		need(poll(p, 2, 20000) > 0, "frame %d", i);
		taken[p[0].revents ? 0 : 1]++;
		need(recv(p[0].revents ? fans[0] : fans[1], &byte, 1, MSG_TRUNC) > 0, "frame %d", i);
	}
	check(taken[0] == 1 && taken[1] == 1 && !has_frame(fans[0], "yes", 0) && !has_frame(fans[1], "yes", 0),
	      "distribution in the group: %d and %d", taken[0], taken[1]);
	test_done();
}
