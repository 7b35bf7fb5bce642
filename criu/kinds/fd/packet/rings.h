/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The rings of a packet socket: kernel memory that the program maps. Kernel and program each keep their position to
 * themselves, so a new ring has to be at the same position as the old one. packet(7),
 * Documentation/networking/packet_mmap.rst
 */
#pragma once
#include <linux/if_packet.h>
#include "netlink/packet_diag.h"
#include "packet-sock.pb-c.h"
#include "run/dump.h"
#include "run/restore.h"

/* In a receive ring of TPACKET_V3 the kernel fills blocks; transmit rings contain frames in all versions. */
static inline bool ring_has_blocks(const PacketSockEntry *entry, bool tx)
{
	return entry->version == TPACKET_V3 && !tx;
}

static inline size_t ring_size(const PacketRing *ring)
{
	return ring ? (size_t)ring->block_size * ring->block_nr : 0;
}

/* The number of pieces: blocks or frames. */
static inline uint32_t ring_pieces(const PacketSockEntry *entry, const PacketRing *ring, bool tx)
{
	return ring_has_blocks(entry, tx) ? ring->block_nr : ring->frame_nr;
}

static inline size_t ring_piece_size(const PacketSockEntry *entry, const PacketRing *ring, bool tx)
{
	return ring_has_blocks(entry, tx) ? ring->block_size : ring->frame_size;
}

/* The address of a frame or block; no frame crosses the end of a block. */
static inline char *ring_piece(const PacketSockEntry *entry, const PacketRing *ring, bool tx, char *base, uint32_t i)
{
	uint32_t per_block = ring->block_size / ring->frame_size;

	if (ring_has_blocks(entry, tx))
		return base + (size_t)i * ring->block_size;
	return base + (size_t)(i / per_block) * ring->block_size + (size_t)(i % per_block) * ring->frame_size;
}

/* The status word: whether the kernel or the program owns it. */
static inline uint32_t *ring_status(const PacketSockEntry *entry, bool tx, char *piece)
{
	if (entry->version != TPACKET_V3)
		return (void *)piece;
	if (tx)
		return &((struct tpacket3_hdr *)piece)->tp_status;
	return &((struct tpacket_block_desc *)piece)->hdr.bh1.block_status;
}

/* ---- save.c ---- */

int packet_rings_save(struct dump *dump, const struct fd_probe *probe, const struct packet_diag_socket *diag,
		      PacketSockEntry *entry);
int packet_rings_save_end(struct dump *dump);

/* ---- restore.c, fill.c ---- */

int packet_rings_check(const struct file *file, const PacketSockEntry *entry);
/* Between the options and bind(2): no packets are received yet. */
int packet_rings_make(int fd, const PacketSockEntry *entry);
/* Both rings are mapped at @base: advances the kernel to the old position, then copies the content into it. */
int packet_ring_fill_rx(int fd, const PacketSockEntry *entry, char *base);
int packet_ring_fill_tx(int fd, const PacketSockEntry *entry, char *base);
