/* SPDX-License-Identifier: GPL-2.0-only */
/* Where the kernel stands in the rings of packet sockets: nothing but its own memory tells. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct packet_ring_place {
	uint32_t rx, tx; /* the frame that is filled or sent next; TPACKET_V3, rx: the block that is filled */
	bool frozen; /* TPACKET_V3, rx: it is not filled, as the program has not given it back */
};

struct packet_ring_reader;

/* As kernel_memory_open(). */
int packet_ring_open(struct packet_ring_reader **ret);
void packet_ring_close(struct packet_ring_reader *reader);
/* Of a socket of which @fd is a descriptor of ours. */
int packet_ring_place(struct packet_ring_reader *reader, int fd, bool blocks, struct packet_ring_place *ret);
