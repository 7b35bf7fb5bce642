// SPDX-License-Identifier: GPL-2.0-only
/*
 * A new ring starts at its first frame, and the kernel cannot be told to start elsewhere: so it is advanced to the old
 * position by frames of our own over the loopback device, with an unused protocol. Then the content of the old ring is
 * copied into it.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include "base/bits.h"
#include "base/cleanup.h"
#include "kinds/fd/packet/rings.h"
#include "util/fds.h"
#include "util/log.h"

#define LOCAL_TYPE 0x88b5 /* IEEE 802: local experiments */
#define WAIT_MS 5000
#define TRIES 20
#define MTU_MAX 65536u
#define SMALL 8u /* an empty one is dropped */

struct filling {
	const PacketSockEntry *entry;
	char *base;
	int sender;
	struct sockaddr_ll loopback;
	uint32_t mtu;
	size_t overhead; /* offset of the payload of a packet in a block */
};

static int find_loopback(int fd, struct sockaddr_ll *ret, uint32_t *ret_mtu)
{
	struct ifreq req = { .ifr_name = "lo" };

	*ret = (struct sockaddr_ll){ .sll_family = AF_PACKET,
				     .sll_protocol = htons(LOCAL_TYPE),
				     .sll_halen = ETH_ALEN };
	if (ioctl(fd, SIOCGIFINDEX, &req) < 0)
		return fail(-errno, "the ring of a packet socket: there is no loopback device");
	ret->sll_ifindex = req.ifr_ifindex;
	if (ioctl(fd, SIOCGIFFLAGS, &req) < 0 || !(req.ifr_flags & IFF_UP))
		return fail(-ENETDOWN, "restoring the ring of a packet socket needs the loopback device; start it with "
				       "`ip link set lo up`");
	*ret_mtu = ioctl(fd, SIOCGIFMTU, &req) < 0 ? 1500 : MIN_OF((uint32_t)req.ifr_mtu, MTU_MAX);
	return 0;
}

/* Without libnet: all but two bytes are zero, and libnet would copy them for each of thousands of frames. */
static int send_frame(const struct filling *f, size_t payload)
{
	static const char zeros[MTU_MAX];
	struct ethhdr head = { .h_proto = htons(LOCAL_TYPE) };
	struct iovec iov[2] = { { &head, sizeof(head) }, { (void *)zeros, payload } };
	struct msghdr msg = {
		.msg_name = (void *)&f->loopback, .msg_namelen = sizeof(f->loopback), .msg_iov = iov, .msg_iovlen = 2
	};

	return sendmsg(f->sender, &msg, 0) < 0 ? fail(-errno, "send a frame to the loopback device") : 0;
}

static uint32_t read_word(const uint32_t *at)
{
	return __atomic_load_n(at, __ATOMIC_ACQUIRE);
}

/* Usually it has arrived when sendmsg(2) returns. */
static int await_change(const uint32_t *at, uint32_t was, const uint32_t *or_bit)
{
	static const struct timespec ms = { .tv_nsec = 1000000 };

	for (int i = 0; i < WAIT_MS; i++) {
		if (read_word(at) != was || (or_bit && (read_word(or_bit) & TP_STATUS_USER)))
			return 0;
		nanosleep(&ms, NULL); /* style: poll(2) reports the last frame only */
	}
	return fail(-ETIMEDOUT, "a frame for the ring of a packet socket did not arrive through the loopback device");
}

/* It may be in a queue for a moment. */
static int await_sent(const uint32_t *status)
{
	static const struct timespec ms = { .tv_nsec = 1000000 };

	for (int i = 0; i < WAIT_MS; i++) {
		if (!(read_word(status) & (TP_STATUS_SEND_REQUEST | TP_STATUS_SENDING)))
			return 0;
		nanosleep(&ms, NULL); /* style: there is no event */
	}
	return fail(-ETIMEDOUT, "a frame of a packet socket's ring was not sent through the loopback device");
}

/* The status word, which passes it on, is written last. */
static void copy_piece(const PacketSockEntry *entry, bool tx, char *to, const PacketFrame *frame)
{
	uint32_t *status = ring_status(entry, tx, to), value;
	size_t at = (char *)status - to, after = at + sizeof(*status);

	memcpy(&value, frame->data.data + at, sizeof(value));
	memcpy(to, frame->data.data, at);
	memcpy(to + after, frame->data.data + after, frame->data.len - after);
	__atomic_store_n(status, value, __ATOMIC_RELEASE);
}

/* Pieces without content are free: for the kernel to fill, or for the program to send. */
static void copy_pieces(const PacketSockEntry *entry, const PacketRing *ring, bool tx, char *base,
			const PacketRingState *state)
{
	for (size_t i = 0; i < state->n_frame; i++)
		copy_piece(entry, tx, ring_piece(entry, ring, tx, base, state->frame[i]->index), state->frame[i]);
}

/* ---- frames ---- */

static int fill_frames(const struct filling *f, uint32_t next)
{
	const PacketSockEntry *entry = f->entry;
	int err = 0;

	for (uint32_t i = 0; i < next && !err; i++) {
		uint32_t *status = ring_status(entry, false, ring_piece(entry, entry->rx_ring, false, f->base, i));

		err = send_frame(f, SMALL);
		if (!err)
			err = await_change(status, TP_STATUS_KERNEL, NULL);
	}
	for (uint32_t i = 0; i < next; i++)
		__atomic_store_n(ring_status(entry, false, ring_piece(entry, entry->rx_ring, false, f->base, i)),
				 TP_STATUS_KERNEL, __ATOMIC_RELEASE);
	return err;
}

/* ---- blocks: TPACKET_V3 ---- */

static struct tpacket_hdr_v1 *block(const struct filling *f, uint32_t i)
{
	return &((struct tpacket_block_desc *)(f->base + (size_t)i * f->entry->rx_ring->block_size))->hdr.bh1;
}

static bool is_closed(const struct filling *f, uint32_t i)
{
	return read_word(&block(f, i)->block_status) & TP_STATUS_USER;
}

/* As the program would return it, and as if it had never been used. */
static void release_block(const struct filling *f, uint32_t i)
{
	block(f, i)->num_pkts = 0;
	block(f, i)->blk_len = 0;
	__atomic_store_n(&block(f, i)->block_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
}

/* Sends a packet that takes @len bytes of a block; whether it has arrived in block @i. */
static int send_of_length(const struct filling *f, uint32_t i, size_t len)
{
	uint32_t before = read_word(&block(f, i)->num_pkts);
	size_t payload = len > f->overhead ? len - f->overhead : 0;
	int err = payload > f->mtu ? fail(-EMSGSIZE,
					  "a ring contained packets of %zu bytes, but the loopback device carries at "
					  "most %u; raise its MTU",
					  payload, f->mtu) :
				     send_frame(f, payload);

	return err ? err : await_change(&block(f, i)->num_pkts, before, &block(f, i)->block_status);
}

/*
 * Fills it so that the next packet, however small, goes into the next block. It does not matter if the kernel's timer
 * closes it before that.
 */
static int fill_block(const struct filling *f, uint32_t i)
{
	size_t size = f->entry->rx_ring->block_size, least = f->overhead + SMALL;
	int err = 0;

	/* A block that is not open yet has no offset. */
	if (!read_word(&block(f, i)->num_pkts) && !is_closed(f, i))
		err = send_of_length(f, i, least);
	while (!err && !is_closed(f, i)) {
		size_t space = size - read_word(&block(f, i)->blk_len), len = space - 8;

		if (space <= least)
			return 0;
		if (len > f->overhead + f->mtu)
			len = MIN_OF(f->overhead + f->mtu, len - least) & ~(size_t)7;
		err = send_of_length(f, i, len);
	}
	return err;
}

/*
 * Fills the open block with packets of the same lengths as those that were in it; if there were none, with one that is
 * not visible.
 */
static int open_block(const struct filling *f, const PacketRingState *state, uint32_t i)
{
	size_t at;
	int err = 0;

	for (size_t p = 0; p < state->n_packet && !err; p++)
		err = send_of_length(f, i, state->packet[p].len);
	if (!err && !state->n_packet) {
		err = send_of_length(f, i, f->overhead + SMALL);
		block(f, i)->offset_to_first_pkt = block(f, i)->blk_len;
		__atomic_store_n(&block(f, i)->num_pkts, 0, __ATOMIC_RELEASE);
		return err ? err : is_closed(f, i) ? -EAGAIN : 0;
	}
	if (err || read_word(&block(f, i)->num_pkts) != state->n_packet)
		return err ? err : -EAGAIN;
	at = block(f, i)->offset_to_first_pkt;
	for (size_t p = 0; p < state->n_packet; p++) {
		char *to = (char *)block(f, i) - offsetof(struct tpacket_block_desc, hdr) + at;
		uint32_t next = ((struct tpacket3_hdr *)to)->tp_next_offset;

		memcpy(to, state->packet[p].data, state->packet[p].len);
		/* 0 in the last one, when the block has been closed meanwhile. */
		((struct tpacket3_hdr *)to)->tp_next_offset = next;
		at += state->packet[p].len;
	}
	return 0;
}

/*
 * Advances by @steps blocks from @from, until the next packet goes into the block after them. Blocks ahead are released
 * first.
 */
static int advance(const struct filling *f, uint32_t from, uint32_t steps, bool stop_there)
{
	uint32_t n = f->entry->rx_ring->block_nr;
	int err = 0;

	for (uint32_t i = 0; i < steps && !err; i++) {
		uint32_t next = (from + i + 1) % n;

		if (is_closed(f, next) && !(stop_there && i == steps - 1))
			release_block(f, next);
		err = fill_block(f, (from + i) % n);
	}
	return err;
}

/* All blocks are full and the next one is not released: after one more packet the kernel stops. */
static int freeze_ring(const struct filling *f, uint32_t next)
{
	uint32_t n = f->entry->rx_ring->block_nr;
	int err = advance(f, next, n, true);

	if (!err)
		err = send_frame(f, SMALL);
	return err ? err : await_change(&block(f, (next + n - 1) % n)->block_status, TP_STATUS_KERNEL, NULL);
}

static void copy_block(const struct filling *f, const PacketRingState *state, uint32_t i)
{
	char *at = ring_piece(f->entry, f->entry->rx_ring, false, f->base, i);

	for (size_t k = 0; k < state->n_frame; k++) {
		if (state->frame[k]->index == i) {
			copy_piece(f->entry, false, at, state->frame[k]);
			return;
		}
	}
	release_block(f, i);
}

/* All but two: the one that will be open, and the one before it, which is closed by the first packet in the other. */
static void copy_other_blocks(const struct filling *f, const PacketRingState *state, bool moved)
{
	uint32_t n = f->entry->rx_ring->block_nr, before = (state->next + n - 1) % n;

	for (uint32_t i = 0; i < n; i++)
		if (is_closed(f, i) && i != state->next && !(moved && i == before))
			release_block(f, i);
	for (size_t k = 0; k < state->n_frame; k++) {
		const PacketFrame *frame = state->frame[k];

		if (frame->index != state->next && !(moved && frame->index == before))
			copy_piece(f->entry, false,
				   ring_piece(f->entry, f->entry->rx_ring, false, f->base, frame->index), frame);
	}
}

static int fill_open(const struct filling *f, const PacketRingState *state, bool moved)
{
	uint32_t n = f->entry->rx_ring->block_nr;
	int err;

	copy_other_blocks(f, state, moved);
	if (!moved && !state->n_packet)
		return 0;
	if (n == 1 && is_closed(f, 0))
		release_block(f, 0);
	err = read_word(&block(f, state->next)->num_pkts) || is_closed(f, state->next) ?
		      -EAGAIN :
		      open_block(f, state, state->next);
	if (!err && moved && n > 1)
		copy_block(f, state, (state->next + n - 1) % n);
	return err;
}

/* If the kernel's timer closes the open block too early, go round once more. */
static int fill_blocks(const struct filling *f, const PacketRingState *state)
{
	uint32_t n = f->entry->rx_ring->block_nr;
	int err = advance(f, 0, state->next, false);

	if (!err && state->frozen) {
		err = freeze_ring(f, state->next);
		for (uint32_t i = 0; i < n && !err; i++)
			release_block(f, i);
		if (!err)
			copy_pieces(f->entry, f->entry->rx_ring, false, f->base, state);
		return err;
	}
	if (!err)
		err = fill_open(f, state, state->next != 0);
	for (int i = 0; i < TRIES && err == -EAGAIN; i++) {
		err = n > 1 ? advance(f, state->next, n, false) : 0;
		if (!err)
			err = fill_open(f, state, true);
	}
	return err == -EAGAIN ?
		       fail(err, "the blocks of a packet socket's ring are closed faster than they can be filled") :
		       err;
}

/* ---- frames and blocks ---- */

static uint32_t option(int fd, int name)
{
	int value = 0;
	socklen_t len = sizeof(value);

	return getsockopt(fd, SOL_PACKET, name, &value, &len) < 0 ? 0 : value;
}

int packet_ring_fill_rx(int fd, const PacketSockEntry *entry, char *base)
{
	const PacketRingState *state = entry->rx_state;
	_cleanup_close_ int sender = -1;
	struct filling f = { .entry = entry, .base = base };
	struct sockaddr_ll own;
	int err;

	if (!state->next && !state->n_packet && !state->frozen) {
		copy_pieces(entry, entry->rx_ring, false, base, state);
		return 0;
	}
	err = find_loopback(fd, &f.loopback, &f.mtu);
	if (err)
		return err;
	sender = f.sender = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	own = f.loopback;
	if (sender < 0 || bind(fd, (struct sockaddr *)&own, sizeof(own)) < 0)
		return fail(-errno, "bind a packet socket to the loopback device");
	/* net/packet/af_packet.c tpacket_rcv */
	f.overhead = TPACKET_ALIGN(TPACKET3_HDRLEN + 16) + entry->reserve + option(fd, 24 /* PACKET_VNET_HDR_SZ */);
	if (ring_has_blocks(entry, false))
		return fill_blocks(&f, state);
	err = fill_frames(&f, state->next);
	if (!err)
		copy_pieces(entry, entry->rx_ring, false, base, state);
	return err;
}

/* ---- transmit ring ---- */

#define TX_LEN 60u

static void request_send(const PacketSockEntry *entry, char *frame, uint32_t len)
{
	if (entry->version == TPACKET_V1) {
		struct tpacket_hdr *head = (void *)frame;

		head->tp_len = len;
		head->tp_mac = head->tp_net = TPACKET_HDRLEN - sizeof(struct sockaddr_ll);
	} else if (entry->version == TPACKET_V2) {
		struct tpacket2_hdr *head = (void *)frame;

		head->tp_len = len;
		head->tp_mac = head->tp_net = TPACKET2_HDRLEN - sizeof(struct sockaddr_ll);
	} else {
		struct tpacket3_hdr *head = (void *)frame;

		head->tp_len = len;
		head->tp_mac = head->tp_net = TPACKET3_HDRLEN - sizeof(struct sockaddr_ll);
	}
	__atomic_store_n(ring_status(entry, true, frame), TP_STATUS_SEND_REQUEST, __ATOMIC_RELEASE);
}

int packet_ring_fill_tx(int fd, const PacketSockEntry *entry, char *base)
{
	const PacketRingState *state = entry->tx_state;
	const PacketRing *ring = entry->tx_ring;
	uint32_t mtu, len = TX_LEN + option(fd, 24 /* PACKET_VNET_HDR_SZ */);
	struct sockaddr_ll to;
	int err = state->next ? find_loopback(fd, &to, &mtu) : 0;

	for (uint32_t i = 0; i < state->next && !err; i++) {
		char *frame = ring_piece(entry, ring, true, base, i);

		request_send(entry, frame, len);
		if (sendto(fd, NULL, 0, 0, (struct sockaddr *)&to, sizeof(to)) < 0)
			err = fail(-errno, "send a frame of a packet socket's ring to the loopback device");
		if (!err)
			err = await_sent(ring_status(entry, true, frame));
		memset(frame, 0, sizeof(struct tpacket3_hdr));
	}
	if (!err)
		copy_pieces(entry, ring, true, base, state);
	return err;
}
