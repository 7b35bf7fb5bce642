// SPDX-License-Identifier: GPL-2.0-only
/*
 * The content of rings. The kernel keeps filling them while the tree is frozen: what arrives after the first look at
 * its position is left out, as is what arrives between dump and restore.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include "base/bits.h"
#include "base/cleanup.h"
#include "kmem/packet_ring.h"
#include "kinds/fd/packet/rings.h"
#include "kinds/kinds.h"
#include "memory/memory.h"
#include "util/log.h"
#include "util/str.h"

#define SAVED_MAX (64u << 20) /* of one ring: it is copied into memory */
#define ALIGNMENT 8u /* of packets in a block: V3_ALIGNMENT, net/packet/af_packet.c */

struct mapped {
	struct mapped *next;
	uint64_t ino;
	size_t size;
};

/* kind_data of a dump */
struct packet_dump {
	struct mapped *first;
	struct packet_ring_reader *reader;
};

/* One ring while it is copied. */
struct copy {
	struct dump *dump;
	const PacketSockEntry *entry;
	const PacketRing *ring;
	bool tx;
	char *base;
	PacketRingState *state;
	size_t saved;
	size_t lost;
};

static void close_reader(void *reader)
{
	packet_ring_close(reader);
}

static struct packet_dump *dump_data(struct dump *dump)
{
	struct packet_dump *data = *dump_kind_data(dump, &packet_kind);

	if (!data)
		data = *dump_kind_data(dump, &packet_kind) = dump_alloc(dump, sizeof(*data));
	return data;
}

static int place_of(struct dump *dump, int fd, const PacketSockEntry *entry, struct packet_ring_place *ret)
{
	struct packet_dump *data = dump_data(dump);
	int err = 0;

	if (!data)
		return -ENOMEM;
	if (!data->reader) {
		err = packet_ring_open(&data->reader);
		if (!err && arena_defer(&dump->arena, close_reader, data->reader) < 0)
			err = -ENOMEM;
	}
	return err ? err : packet_ring_place(data->reader, fd, entry->rx_ring && ring_has_blocks(entry, false), ret);
}

/* ---- pieces ---- */

static int save_piece(struct copy *c, uint32_t index, const char *from, size_t len)
{
	PacketFrame *frame = dump_alloc(c->dump, sizeof(*frame));

	if (!frame)
		return -ENOMEM;
	packet_frame__init(frame);
	frame->index = index;
	frame->data.data = dump_alloc(c->dump, len);
	if (!frame->data.data)
		return -ENOMEM;
	memcpy(frame->data.data, from, len);
	frame->data.len = len;
	c->saved += len;
	c->state->frame[c->state->n_frame++] = frame;
	return 0;
}

static struct tpacket_hdr_v1 *block_head(char *block)
{
	return &((struct tpacket_block_desc *)block)->hdr.bh1;
}

static size_t piece_length(const struct copy *c, char *piece)
{
	size_t whole = ring_piece_size(c->entry, c->ring, c->tx);

	if (!ring_has_blocks(c->entry, c->tx))
		return whole;
	return MIN_OF(MAX_OF(block_head(piece)->blk_len, sizeof(struct tpacket_block_desc)), whole);
}

static size_t piece_packets(const struct copy *c, char *piece)
{
	return ring_has_blocks(c->entry, c->tx) ? block_head(piece)->num_pkts : 1;
}

/* What the kernel is sending is in flight, and the frame practically released. */
static bool is_saved(const struct copy *c, uint32_t status)
{
	if (!c->tx)
		return ring_has_blocks(c->entry, false) ? status & TP_STATUS_USER : status != TP_STATUS_KERNEL;
	return status & (TP_STATUS_SEND_REQUEST | TP_STATUS_WRONG_FORMAT);
}

/* Oldest first; at the memory limit, the restored ring starts with the first piece that is left out. */
static int copy_pieces(struct copy *c)
{
	uint32_t n = ring_pieces(c->entry, c->ring, c->tx), first = c->state->next;
	int err = 0;

	c->state->frame = dump_alloc(c->dump, (size_t)n * sizeof(*c->state->frame));
	if (!c->state->frame)
		return -ENOMEM;
	for (uint32_t i = 0; i < n && !err; i++) {
		uint32_t at = (first + i) % n;
		char *piece = ring_piece(c->entry, c->ring, c->tx, c->base, at);
		uint32_t status = __atomic_load_n(ring_status(c->entry, c->tx, piece), __ATOMIC_ACQUIRE);
		size_t len = piece_length(c, piece);

		if (!is_saved(c, status))
			continue;
		if (c->lost || c->saved + len > SAVED_MAX) {
			if (!c->lost)
				c->state->next = at;
			c->lost += piece_packets(c, piece);
			continue;
		}
		err = save_piece(c, at, piece, len);
	}
	return err;
}

/* Drops what the kernel has filled since its position was @from. */
static void drop_pieces(struct copy *c, uint32_t from, uint32_t upto)
{
	uint32_t n = ring_pieces(c->entry, c->ring, c->tx), to = 0;

	for (size_t i = 0; i < c->state->n_frame; i++) {
		PacketFrame *frame = c->state->frame[i];

		if ((frame->index + n - from) % n >= (upto + n - from) % n)
			c->state->frame[to++] = frame;
	}
	c->state->n_frame = to;
}

/* Packets of the block that is being filled. */
static int copy_open(struct copy *c)
{
	char *block = ring_piece(c->entry, c->ring, false, c->base, c->state->next);
	uint32_t n = __atomic_load_n(&block_head(block)->num_pkts, __ATOMIC_ACQUIRE);
	size_t at = block_head(block)->offset_to_first_pkt, most = c->ring->block_size / sizeof(struct tpacket3_hdr);

	if (n > most)
		return -EPROTO;
	c->state->packet = dump_alloc(c->dump, (n + 1) * sizeof(*c->state->packet));
	for (uint32_t i = 0; i < n && c->state->packet; i++) {
		const struct tpacket3_hdr *head = (void *)(block + at);
		ProtobufCBinaryData *to = &c->state->packet[i];
		size_t len, space;

		if (at + sizeof(*head) > c->ring->block_size)
			return -EPROTO;
		len = ((size_t)head->tp_mac + head->tp_snaplen + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
		space = head->tp_next_offset ? head->tp_next_offset : len;
		/* It is just being written: it has not been received yet. */
		if (space != len || at + len > c->ring->block_size)
			break;
		to->data = dump_alloc(c->dump, len);
		if (!to->data)
			return -ENOMEM;
		memcpy(to->data, block + at, len);
		to->len = len;
		c->state->n_packet++;
		at += len;
	}
	return c->state->packet ? 0 : -ENOMEM;
}

/* ---- one ring ---- */

static int new_state(struct dump *dump, uint32_t next, PacketRingState **ret)
{
	PacketRingState *state = dump_alloc(dump, sizeof(*state));

	if (!state)
		return -ENOMEM;
	packet_ring_state__init(state);
	state->next = next;
	*ret = state;
	return 0;
}

static int copy_rx(struct dump *dump, const struct fd_probe *probe, PacketSockEntry *entry, char *base,
		   const struct packet_ring_place *place)
{
	struct copy c = { .dump = dump, .entry = entry, .ring = entry->rx_ring, .base = base };
	bool open = ring_has_blocks(entry, false) && !place->frozen;
	struct packet_ring_place after;
	int err = new_state(dump, place->rx, &entry->rx_state);

	c.state = entry->rx_state;
	if (!err && open)
		err = copy_open(&c);
	if (!err)
		err = copy_pieces(&c);
	if (!err)
		err = place_of(dump, probe->local, entry, &after);
	if (err)
		return err;
	drop_pieces(&c, place->rx, after.rx);
	if (ring_has_blocks(entry, false) && place->frozen && !c.lost)
		c.state->has_frozen = c.state->frozen = true;
	if (c.lost) {
		c.state->n_packet = 0;
		log_warn("%s: %zu packets of its ring are lost: at most %u MB are saved", probe->link, c.lost,
			 SAVED_MAX >> 20);
	}
	return 0;
}

static int copy_tx(struct dump *dump, PacketSockEntry *entry, char *base, uint32_t next)
{
	struct copy c = { .dump = dump, .entry = entry, .ring = entry->tx_ring, .tx = true, .base = base };
	int err = new_state(dump, next, &entry->tx_state);

	c.state = entry->tx_state;
	return err ? err : copy_pieces(&c);
}

static int copy_rings(struct dump *dump, const struct fd_probe *probe, PacketSockEntry *entry)
{
	size_t rx = ring_size(entry->rx_ring), size = rx + ring_size(entry->tx_ring);
	struct packet_ring_place place = { 0 };
	char *base;
	int err = place_of(dump, probe->local, entry, &place);

	if (err) {
		dump_blocker(
			dump, probe->task, probe->fd,
			"%s: the kernel's position in its ring (PACKET_RX_RING, PACKET_TX_RING) can only be read from "
			"kernel memory, which is not accessible (errno %d); run as root, or end the capture "
			"first",
			probe->link, -err);
		return 0;
	}
	if (!entry->protocol && place.rx) {
		dump_blocker(dump, probe->task, probe->fd,
			     "%s: its ring has been filled, but it has no protocol any more; close it", probe->link);
		return 0;
	}
	base = mmap(NULL, size, PROT_READ, MAP_SHARED, probe->local, 0);
	if (base == MAP_FAILED)
		return -errno;
	if (entry->rx_ring)
		err = copy_rx(dump, probe, entry, base, &place);
	if (!err && entry->tx_ring)
		err = copy_tx(dump, entry, base + rx, place.tx);
	munmap(base, size);
	return err;
}

static PacketRing *save_config(struct dump *dump, const struct packet_diag_ring_config *diag)
{
	PacketRing *ring = dump_alloc(dump, sizeof(*ring));

	if (!ring)
		return NULL;
	packet_ring__init(ring);
	ring->block_size = diag->block_size;
	ring->block_nr = diag->block_nr;
	ring->frame_size = diag->frame_size;
	ring->frame_nr = diag->frame_nr;
	ring->retire_tmo = diag->retire_tmo;
	ring->sizeof_priv = diag->sizeof_priv;
	ring->features = diag->features;
	return ring;
}

int packet_rings_save(struct dump *dump, const struct fd_probe *probe, const struct packet_diag_socket *diag,
		      PacketSockEntry *entry)
{
	struct packet_dump *data = dump_data(dump);
	struct mapped *mapped = dump_alloc(dump, sizeof(*mapped));
	int err;

	if (!diag->rx_ring.block_nr && !diag->tx_ring.block_nr)
		return 0;
	if (!data || !mapped)
		return fail(-ENOMEM, "rings of a packet socket");
	if (diag->rx_ring.block_nr)
		entry->rx_ring = save_config(dump, &diag->rx_ring);
	if (diag->tx_ring.block_nr)
		entry->tx_ring = save_config(dump, &diag->tx_ring);
	if ((diag->rx_ring.block_nr && !entry->rx_ring) || (diag->tx_ring.block_nr && !entry->tx_ring))
		return fail(-ENOMEM, "rings of a packet socket");
	mapped->ino = probe->st.st_ino;
	mapped->size = ring_size(entry->rx_ring) + ring_size(entry->tx_ring);
	mapped->next = data->first;
	data->first = mapped;
	err = memory_mapping_is(dump, &probe->st, entry->id);
	if (err || dump_is_check(dump))
		return err;
	err = copy_rings(dump, probe, entry);
	return err ? fail(err, "the rings of a packet socket") : 0;
}

/* ---- mappings ---- */

static void check_mapping(struct dump *dump, struct dump_task *dt, const struct packet_dump *data,
			  const struct kernel_vma *v)
{
	const struct mapped *m = data ? data->first : NULL;
	const char *why = "a copy of a packet socket's ring (MAP_PRIVATE) is not supported; map it shared";

	while (m && m->ino != v->ino)
		m = m->next;
	if (!m)
		why = "no task of the tree has its descriptor any more, or it is not a packet socket's ring; unmap it";
	if (!m || !v->shared)
		dump_blocker(dump, dt, -1, "mapping %lx-%lx %s: %s", v->start, v->end, v->name, why);
}

/* Only the whole ring can be mapped, but the program may have unmapped parts. */
int packet_rings_save_end(struct dump *dump)
{
	const struct packet_dump *data = *dump_kind_data(dump, &packet_kind);
	struct dump_task *dt;

	dump_for_each_task(dt, dump)
		for (size_t i = 0; i < dt->maps.n; i++)
			if (str_has_prefix(dt->maps.v[i].name, "socket:["))
				check_mapping(dump, dt, data, &dt->maps.v[i]);
	return 0;
}
