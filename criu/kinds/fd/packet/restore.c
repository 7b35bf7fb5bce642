// SPDX-License-Identifier: GPL-2.0-only
/* Rings are created with the same sizes and filled before the socket receives anything but what we send to it. */
#include <errno.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/bits.h"
#include "kinds/fd/packet/rings.h"
#include "util/log.h"

static int check_piece(const struct file *file, const PacketSockEntry *entry, const PacketRing *ring, bool tx,
		       const PacketFrame *frame)
{
	size_t whole = ring_piece_size(entry, ring, tx), least = whole;

	if (ring_has_blocks(entry, tx))
		least = sizeof(struct tpacket_block_desc);
	if (frame->index >= ring_pieces(entry, ring, tx) || frame->data.len < least || frame->data.len > whole)
		return fail(-EBADMSG,
			    "files.img: file %u: invalid frame %u of %zu bytes in the ring of a packet "
			    "socket",
			    file->id, frame->index, frame->data.len);
	return 0;
}

static int check_state(const struct file *file, const PacketSockEntry *entry, const PacketRing *ring, bool tx,
		       const PacketRingState *state)
{
	size_t space = ring ? ring->block_size : 0;
	int err = 0;

	if (!state)
		return 0;
	if (!ring || state->next >= ring_pieces(entry, ring, tx) || (!tx && state->next && !entry->protocol) ||
	    (!ring_has_blocks(entry, tx) && (state->frozen || state->n_packet)))
		return fail(-EBADMSG, "files.img: file %u: invalid state of the ring of a packet socket", file->id);
	for (size_t i = 0; i < state->n_frame && !err; i++)
		err = check_piece(file, entry, ring, tx, state->frame[i]);
	for (size_t i = 0; i < state->n_packet && !err; i++) {
		size_t len = state->packet[i].len;

		if (len < sizeof(struct tpacket3_hdr) || len > space || !entry->protocol)
			err = fail(-EBADMSG,
				   "files.img: file %u: invalid packet of %zu bytes in the ring of a packet "
				   "socket",
				   file->id, len);
		else
			space -= len;
	}
	return err;
}

static int check_ring(const struct file *file, const PacketRing *ring)
{
	uint32_t page = (uint32_t)sysconf(_SC_PAGESIZE);

	if (ring && (!ring->block_size || ring->block_size % page || !ring->frame_size ||
		     ring->frame_size > ring->block_size || !ring->block_nr || ring->block_nr > INT32_MAX ||
		     (uint64_t)(ring->block_size / ring->frame_size) * ring->block_nr != ring->frame_nr))
		return fail(-EBADMSG, "files.img: file %u: invalid ring of %u blocks of %u bytes of a packet socket",
			    file->id, ring->block_nr, ring->block_size);
	return 0;
}

int packet_rings_check(const struct file *file, const PacketSockEntry *entry)
{
	int err = check_ring(file, entry->rx_ring);

	if (!err)
		err = check_ring(file, entry->tx_ring);
	if (!err)
		err = check_state(file, entry, entry->rx_ring, false, entry->rx_state);
	return err ? err : check_state(file, entry, entry->tx_ring, true, entry->tx_state);
}

static int make_ring(int fd, const PacketSockEntry *entry, const PacketRing *ring, int name)
{
	struct tpacket_req3 req;

	if (!ring)
		return 0;
	req = (struct tpacket_req3){ .tp_block_size = ring->block_size,
				     .tp_block_nr = ring->block_nr,
				     .tp_frame_size = ring->frame_size,
				     .tp_frame_nr = ring->frame_nr,
				     .tp_retire_blk_tov = ring->retire_tmo,
				     .tp_sizeof_priv = ring->sizeof_priv,
				     .tp_feature_req_word = ring->features };
	if (setsockopt(fd, SOL_PACKET, name, &req,
		       entry->version == TPACKET_V3 ? sizeof(req) : sizeof(struct tpacket_req)) < 0)
		return fail(-errno, "create the ring of a packet socket: %u blocks of %u bytes", ring->block_nr,
			    ring->block_size);
	return 0;
}

static int fill(int fd, const PacketSockEntry *entry)
{
	size_t rx = ring_size(entry->rx_ring), size = rx + ring_size(entry->tx_ring);
	union tpacket_stats_u stats;
	socklen_t len = sizeof(stats);
	char *base;
	int err = 0;

	if (!entry->rx_state && !entry->tx_state)
		return 0;
	base = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (base == MAP_FAILED)
		return fail(-errno, "map the ring of a packet socket");
	/* While the socket has no protocol: what it sends ends at the loopback device. */
	if (entry->tx_state)
		err = packet_ring_fill_tx(fd, entry, base + rx);
	if (!err && entry->rx_state)
		err = packet_ring_fill_rx(fd, entry, base);
	munmap(base, size);
	/* Our own packets must not be counted: reading the statistics resets them to 0. */
	getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, &stats, &len);
	return err;
}

int packet_rings_make(int fd, const PacketSockEntry *entry)
{
	int err = make_ring(fd, entry, entry->rx_ring, PACKET_RX_RING);

	if (!err)
		err = make_ring(fd, entry, entry->tx_ring, PACKET_TX_RING);
	return err ? err : fill(fd, entry);
}
