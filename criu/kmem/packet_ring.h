/* SPDX-License-Identifier: GPL-2.0-only */
/* The kernel's positions in the rings of packet sockets, which only its own memory contains. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct packet_ring_place {
	uint32_t rx, tx; /* the next frame to be filled or sent; TPACKET_V3, rx: the block being filled */
	bool frozen; /* TPACKET_V3, rx: not being filled, as the program has not released it */
};

struct packet_ring_reader;

/* Errors as for kernel_memory_open(). */
int packet_ring_open(struct packet_ring_reader **ret);
void packet_ring_close(struct packet_ring_reader *reader);
/* @fd: our own descriptor of the socket. */
int packet_ring_place(struct packet_ring_reader *reader, int fd, bool blocks, struct packet_ring_place *ret);
