// SPDX-License-Identifier: GPL-2.0-only
/*
 * Rings of packet sockets, of all versions, in the program's memory: unread packets are there, and later packets are
 * received and sent where the program expects it.
 * test: flavours=host,net net=own breaks=3 decode=yes
 */
#include "checkpoint.h"
#include "inet.h"
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>

#define TYPE 0x88b6
#define FRAME 2048u
#define BLOCK 16384u
#define BLOCKS 4u
#define FRAMES (BLOCK / FRAME * BLOCKS)

struct ring {
	const char *name;
	int version, type, retire, fd;
	bool tx;
	char *base;
	unsigned at; /* the frame or block that the program looks at */
	uint32_t seen, sent; /* packets */
	uint16_t ethertype;
};

enum { V1, V2, PLAIN, FULL, EMPTY, OPEN, OPENED, FROZEN, TIMER, NEWBORN, RINGS };

static struct ring rings[RINGS] = {
	[V1] = { .name = "V1", .version = TPACKET_V1, .type = SOCK_RAW },
	[V2] = { .name = "V2, with transmit ring", .version = TPACKET_V2, .type = SOCK_RAW, .tx = true },
	[PLAIN] = { .name = "V2 without headers", .version = TPACKET_V2, .type = SOCK_DGRAM },
	[FULL] = { .name = "V2, full", .version = TPACKET_V2, .type = SOCK_RAW },
	[EMPTY] = { .name = "V3, empty", .version = TPACKET_V3, .type = SOCK_RAW, .retire = 10 },
	[OPEN] = { .name = "V3, with an open block", .version = TPACKET_V3, .type = SOCK_RAW, .retire = 100000 },
	[OPENED] = { .name = "V3, the first block is open",
		     .version = TPACKET_V3,
		     .type = SOCK_DGRAM,
		     .retire = 100000 },
	[FROZEN] = { .name = "V3, frozen", .version = TPACKET_V3, .type = SOCK_RAW, .retire = 100000 },
	[TIMER] = { .name = "V3, with transmit ring",
		    .version = TPACKET_V3,
		    .type = SOCK_RAW,
		    .retire = 1,
		    .tx = true },
	[NEWBORN] = { .name = "V3, new", .version = TPACKET_V3, .type = SOCK_RAW, .retire = 100000 },
};

static int sender, lo;

/* ---- sending to the ring ---- */

static size_t payload_of(const struct ring *r, uint32_t number, char *to)
{
	size_t len = 100 + number * 37 % 1300;

	fill(to, len, number * 16 + (unsigned)(r - rings));
	memcpy(to, &number, sizeof(number));
	return len;
}

static void send_one(struct ring *r)
{
	char frame[FRAME] = { 0 };
	struct ethhdr head = { .h_proto = htons(r->ethertype) };
	struct sockaddr_ll to = { .sll_family = AF_PACKET, .sll_ifindex = lo, .sll_halen = ETH_ALEN };
	size_t len = sizeof(head) + payload_of(r, r->sent, frame + sizeof(head));

	memcpy(frame, &head, sizeof(head));
	need(sendto(sender, frame, len, 0, (void *)&to, sizeof(to)) == (ssize_t)len, "%s: send: %m", r->name);
	r->sent++;
}

static void check_packet(struct ring *r, const char *data, size_t len, const char *when)
{
	char wanted[FRAME];
	size_t right;
	uint32_t number;

	if (r->type == SOCK_RAW) {
		data += sizeof(struct ethhdr);
		len -= sizeof(struct ethhdr);
	}
	right = payload_of(r, r->seen, wanted);
	memcpy(&number, data, sizeof(number));
	check(len == right && !memcmp(data, wanted, len), "%s: %s: packet %u has %zu bytes, not %zu, and is %u",
	      r->name, when, r->seen, len, right, number);
	r->seen++;
}

/* ---- reading from the ring ---- */

static volatile uint32_t *status_of(const struct ring *r)
{
	if (r->version == TPACKET_V3)
		return &((struct tpacket_block_desc *)(r->base + r->at * BLOCK))->hdr.bh1.block_status;
	return (void *)(r->base + (size_t)r->at * FRAME);
}

static bool has_arrived(const struct ring *r)
{
	return *status_of(r) & TP_STATUS_USER;
}

static void await_arrival(const struct ring *r, const char *when)
{
	for (int i = 0; i < 20000 && !has_arrived(r); i++)
		sleep_ms(1);
	need(has_arrived(r), "%s: %s: frame or block %u has arrived", r->name, when, r->at);
}

static void read_block(struct ring *r, const char *when)
{
	struct tpacket_block_desc *block = (void *)(r->base + r->at * BLOCK);
	char *at = (char *)block + block->hdr.bh1.offset_to_first_pkt;

	for (uint32_t i = 0; i < block->hdr.bh1.num_pkts; i++) {
		struct tpacket3_hdr *head = (void *)at;

		check_packet(r, at + head->tp_mac, head->tp_snaplen, when);
		at += head->tp_next_offset;
	}
}

static void read_frame(struct ring *r, const char *when)
{
	char *at = r->base + (size_t)r->at * FRAME;
	struct tpacket2_hdr *second = (void *)at;
	struct tpacket_hdr *first = (void *)at;

	if (r->version == TPACKET_V1)
		check_packet(r, at + first->tp_mac, first->tp_snaplen, when);
	else
		check_packet(r, at + second->tp_mac, second->tp_snaplen, when);
}

static void read_one(struct ring *r, const char *when)
{
	bool blocks = r->version == TPACKET_V3;

	await_arrival(r, when);
	if (blocks)
		read_block(r, when);
	else
		read_frame(r, when);
	*status_of(r) = TP_STATUS_KERNEL;
	r->at = (r->at + 1) % (blocks ? BLOCKS : FRAMES);
}

/*
 * Packets are sent one by one, so that the program sees each of them; where blocks are closed only when full, many at
 * once.
 */
static void pass(struct ring *r, uint32_t n, const char *when)
{
	for (uint32_t i = 0; i < n; i++) {
		send_one(r);
		if (r->version != TPACKET_V3)
			read_one(r, when);
		while (r->version == TPACKET_V3 && (r->retire < 100 ? r->seen < r->sent : has_arrived(r)))
			read_one(r, when);
	}
}

/* ---- sending from the ring ---- */

static char *sending_frame(struct ring *r, unsigned i)
{
	return r->base + BLOCK * BLOCKS + (size_t)i * FRAME;
}

static volatile uint32_t *sending_status(struct ring *r, unsigned i)
{
	return r->version == TPACKET_V3 ? &((struct tpacket3_hdr *)sending_frame(r, i))->tp_status :
					  (void *)sending_frame(r, i);
}

static unsigned to_send[RINGS];

static void prepare(struct ring *r)
{
	unsigned i = to_send[r - rings]++ % FRAMES;
	char *at = sending_frame(r, i), *data;
	struct ethhdr head = { .h_proto = htons(r->ethertype) };
	size_t len;

	need(!(*sending_status(r, i) & (TP_STATUS_SEND_REQUEST | TP_STATUS_SENDING)), "%s: frame %u is free", r->name,
	     i);
	data = at + (r->version == TPACKET_V3 ? TPACKET3_HDRLEN : TPACKET2_HDRLEN) - sizeof(struct sockaddr_ll);
	memcpy(data, &head, sizeof(head));
	len = sizeof(head) + payload_of(r, r->sent++, data + sizeof(head));
	if (r->version == TPACKET_V3)
		((struct tpacket3_hdr *)at)->tp_len = len;
	else
		((struct tpacket2_hdr *)at)->tp_len = len;
	*sending_status(r, i) = TP_STATUS_SEND_REQUEST;
}

static void send_prepared(struct ring *r)
{
	struct sockaddr_ll to = {
		.sll_family = AF_PACKET, .sll_ifindex = lo, .sll_protocol = htons(r->ethertype), .sll_halen = ETH_ALEN
	};

	need(sendto(r->fd, NULL, 0, 0, (void *)&to, sizeof(to)) > 0, "%s: send from the ring: %m", r->name);
}

/* ---- all rings ---- */

static void make(struct ring *r)
{
	struct tpacket_req3 req = {
		.tp_block_size = BLOCK, .tp_block_nr = BLOCKS, .tp_frame_size = FRAME, .tp_frame_nr = FRAMES
	};
	struct sockaddr_ll own = { .sll_family = AF_PACKET, .sll_ifindex = lo };
	size_t size = BLOCK * BLOCKS * (1 + r->tx);
	socklen_t len = r->version == TPACKET_V3 ? sizeof(req) : sizeof(struct tpacket_req);

	r->ethertype = TYPE + (r - rings);
	own.sll_protocol = htons(r->ethertype);
	r->fd = inet_socket(AF_PACKET, r->type, 0);
	inet_set(r->fd, SOL_PACKET, PACKET_VERSION, r->version);
	if (r->tx)
		need(!setsockopt(r->fd, SOL_PACKET, PACKET_TX_RING, &req, len), "%s: ring: %m", r->name);
	req.tp_retire_blk_tov = r->retire;
	need(!setsockopt(r->fd, SOL_PACKET, PACKET_RX_RING, &req, len), "%s: ring: %m", r->name);
	r->base = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, r->fd, 0);
	need(r->base != MAP_FAILED, "%s: mmap: %m", r->name);
	need(!bind(r->fd, (void *)&own, sizeof(own)), "%s: bind: %m", r->name);
}

static void send_many(struct ring *r, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		send_one(r);
}

static void create_states(void)
{
	pass(&rings[V1], 3 * FRAMES + 5, "before");
	send_many(&rings[V1], 3);
	for (unsigned i = 0; i < FRAMES + 7; i++) {
		prepare(&rings[V2]);
		send_prepared(&rings[V2]);
		read_one(&rings[V2], "before");
	}
	prepare(&rings[V2]);
	pass(&rings[PLAIN], 6, "before");
	send_many(&rings[PLAIN], 1);
	pass(&rings[FULL], 9, "before");
	send_many(&rings[FULL], FRAMES);
	pass(&rings[EMPTY], 7, "before");
	pass(&rings[OPEN], 60, "before");
	while (!has_arrived(&rings[OPEN]))
		send_one(&rings[OPEN]);
	send_many(&rings[OPEN], 4);
	send_many(&rings[OPENED], 3);
	pass(&rings[FROZEN], 25, "before");
	/* As many as fit; dropped ones are not counted. */
	for (unsigned i = 0; i < 200; i++) {
		struct tpacket_stats_v3 stats;
		socklen_t len = sizeof(stats);

		send_one(&rings[FROZEN]);
		need(!getsockopt(rings[FROZEN].fd, SOL_PACKET, PACKET_STATISTICS, &stats, &len), "statistics");
		if (stats.tp_drops)
			break;
	}
	rings[FROZEN].sent--;
	for (unsigned i = 0; i < FRAMES + 3; i++) {
		prepare(&rings[TIMER]);
		send_prepared(&rings[TIMER]);
		read_one(&rings[TIMER], "before");
	}
	prepare(&rings[TIMER]);
	prepare(&rings[TIMER]);
}

static void use_ring(struct ring *r)
{
	struct tpacket_stats_v3 stats = { 0 };
	socklen_t len = sizeof(stats);

	if (r->tx)
		send_prepared(r);
	while (r->seen < r->sent && (r->version != TPACKET_V3 || r->tx || has_arrived(r)))
		read_one(r, "unread");
	check(!getsockopt(r->fd, SOL_PACKET, PACKET_STATISTICS, &stats, &len) && !stats.tp_drops, "%s: %u dropped",
	      r->name, stats.tp_drops);
	for (unsigned i = 0; r->tx && i < FRAMES + 2; i++) {
		prepare(r);
		send_prepared(r);
		read_one(r, "after, sent from the ring");
	}
	pass(r, 2 * FRAMES + 3, "after");
	check(r->version == TPACKET_V3 ? r->seen + FRAMES > r->sent : r->seen == r->sent, "%s: %u of %u have arrived",
	      r->name, r->seen, r->sent);
}

int main(int argc, char **argv)
{
	int brk;

	test_init(argc, argv);
	lo = if_nametoindex("lo");
	sender = inet_socket(AF_PACKET, SOCK_RAW, 0);
	for (int i = 0; i < RINGS; i++)
		make(&rings[i]);
	create_states();
	brk = checkpoint_here();
	if (brk == 1)
		rings[V1].at++;
	if (brk == 2)
		rings[OPEN].seen++;
	if (brk == 3)
		((struct tpacket_block_desc *)(rings[FROZEN].base + rings[FROZEN].at * BLOCK))->hdr.bh1.num_pkts = 0;
	for (int i = 0; i < RINGS; i++)
		use_ring(&rings[i]);
	test_done();
}
