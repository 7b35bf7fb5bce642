// SPDX-License-Identifier: GPL-2.0-only
/*
 * Mappings of sockets that cannot be mapped again are refused by name: a copy of a ring, a ring whose descriptor is
 * closed, a connection (for TCP_ZEROCOPY_RECEIVE).
 * test: net=own refused='(?s)(?=.*socket:[^\n]*MAP_PRIVATE)(?=.*socket:[^\n]*no task of the tree has its descriptor)'
 */
#include "checkpoint.h"
#include "inet.h"
#include <linux/if_packet.h>

#define BLOCK 4096u

static char *map_ring(int *ret_fd, int flags)
{
	struct tpacket_req req = { BLOCK, 4, 2048, 8 };
	char *base;

	*ret_fd = inet_socket(AF_PACKET, SOCK_RAW, 0);
	need(!setsockopt(*ret_fd, SOL_PACKET, PACKET_RX_RING, &req, sizeof(req)), "ring: %m");
	base = mmap(NULL, 4 * BLOCK, PROT_READ | PROT_WRITE, flags, *ret_fd, 0);
	need(base != MAP_FAILED, "mmap: %m");
	return base;
}

int main(int argc, char **argv)
{
	int copy, closed, tcp = inet_socket(AF_INET, SOCK_STREAM, 0);
	char *ring, *other;
	void *zerocopy;

	test_init(argc, argv);
	ring = map_ring(&copy, MAP_PRIVATE);
	other = map_ring(&closed, MAP_SHARED);
	close(closed);
	zerocopy = mmap(NULL, BLOCK, PROT_READ, MAP_SHARED, tcp, 0);
	need(zerocopy != MAP_FAILED, "mmap of a TCP socket: %m");
	if (checkpoint_here())
		close(copy);
	ring[0] = other[0] = 1;
	check(ring[0] == 1 && other[0] == 1 && inet_get(copy, SOL_PACKET, PACKET_VERSION) == TPACKET_V1, "unchanged");
	test_done();
}
