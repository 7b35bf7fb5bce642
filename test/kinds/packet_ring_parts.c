// SPDX-License-Identifier: GPL-2.0-only
/*
 * A packet socket's ring that is mapped in parts: its end, a part twice, one with a different protection. All show the
 * same memory, which the kernel fills.
 * test: flavours=host,net net=own breaks=1 decode=yes
 */
#include "checkpoint.h"
#include "inet.h"
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>

#define BLOCK 4096u
#define BLOCKS 6u
#define SIZE (BLOCK * BLOCKS)

static char *map_ring(int fd)
{
	char *base = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	need(base != MAP_FAILED, "mmap: %m");
	return base;
}

static bool mapped(const char *at)
{
	unsigned char in;

	return !mincore((void *)at, BLOCK, &in);
}

int main(int argc, char **argv)
{
	struct tpacket_req req = { BLOCK, BLOCKS, BLOCK, BLOCKS };
	struct sockaddr_ll lo = { .sll_family = AF_PACKET };
	int version = TPACKET_V2, fd, udp;
	volatile struct tpacket2_hdr *head;
	union inet_name to;
	char *first, *last, *again, *guarded;
	socklen_t len;

	test_init(argc, argv);
	fd = inet_socket(AF_PACKET, SOCK_RAW, 0);
	need(!setsockopt(fd, SOL_PACKET, PACKET_VERSION, &version, sizeof(version)), "version: %m");
	need(!setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &req, sizeof(req)), "ring: %m");
	first = map_ring(fd);
	last = map_ring(fd);
	again = map_ring(fd);
	guarded = map_ring(fd);
	/* Blocks 0 and 1; 3 to 5; 4 twice; all, with one of them read-only. */
	need(!munmap(first + 2 * BLOCK, 4 * BLOCK) && !munmap(last, 3 * BLOCK) && !munmap(again, 4 * BLOCK) &&
		     !munmap(again + 5 * BLOCK, BLOCK) && !mprotect(guarded + 2 * BLOCK, BLOCK, PROT_READ),
	     "unmap: %m");
	memset(first + BLOCK + 1000, 'f', 100);
	memset(last + 4 * BLOCK + 1000, 'l', 100);
	lo.sll_ifindex = (int)if_nametoindex("lo");
	lo.sll_protocol = htons(ETH_P_IP);
	need(!bind(fd, (struct sockaddr *)&lo, sizeof(lo)), "bind: %m");

	if (checkpoint_here())
		need(!munmap(again + 4 * BLOCK, BLOCK), "munmap");

	check(!mapped(first + 2 * BLOCK) || first + 2 * BLOCK == last, "the unmapped part is mapped");
	check(mapped(again + 4 * BLOCK), "the part is mapped twice");
	again[4 * BLOCK + 3000] = 'a';
	check(last[4 * BLOCK + 3000] == 'a' && guarded[4 * BLOCK + 3000] == 'a', "the parts show the same memory");
	first[BLOCK + 3000] = 'b';
	check(guarded[BLOCK + 3000] == 'b', "so does the first mapping");
	udp = inet_socket(AF_INET, SOCK_DGRAM, 0);
	len = inet_name(&to, AF_INET, "127.0.0.1", 9);
	need(sendto(udp, "x", 1, 0, &to.any, len) == 1, "send: %m");
	head = (volatile struct tpacket2_hdr *)first;
	check(head->tp_status & TP_STATUS_USER && guarded[0] == first[0], "the kernel fills it: %#x", head->tp_status);
	test_done();
}
