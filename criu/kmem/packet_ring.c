// SPDX-License-Identifier: GPL-2.0-only
#include "kmem/packet_ring.h"
#include <errno.h>
#include <stdlib.h>
#include "base/bits.h"
#include "kmem/kernel_memory.h"

#define FIELDS(X)                                                            \
	X(socket_sk, "socket", "sk", NULL)                                   \
	X(tx_head, "packet_sock", "tx_ring.head", NULL)                      \
	X(rx_head, "packet_sock", "rx_ring.head", NULL)                      \
	X(rx_block, "packet_sock", "rx_ring.prb_bdqc.kactive_blk_num", NULL) \
	X(rx_frozen, "packet_sock", "rx_ring.prb_bdqc.reset_pending_on_curr_blk", NULL)

struct fields {
	FIELDS(KERNEL_FIELD_MEMBER)
};

static const struct kernel_field fields[] = { FIELDS(KERNEL_FIELD_ROW) };

struct packet_ring_reader {
	struct kernel_memory mem;
	struct fields at;
};

int packet_ring_open(struct packet_ring_reader **ret)
{
	struct packet_ring_reader *reader = calloc(1, sizeof(*reader));
	int err = reader ? kernel_memory_open_fields(&reader->mem, fields, ARRAY_SIZE(fields), &reader->at) : -ENOMEM;

	if (err) {
		free(reader);
		return err;
	}
	*ret = reader;
	return 0;
}

void packet_ring_close(struct packet_ring_reader *reader)
{
	if (!reader)
		return;
	kernel_memory_close(&reader->mem);
	free(reader);
}

int packet_ring_place(struct packet_ring_reader *reader, int fd, bool blocks, struct packet_ring_place *ret)
{
	const struct kernel_memory *mem = &reader->mem;
	const struct fields *f = &reader->at;
	uint64_t at, rx = 0, tx = 0, frozen = 0;
	int err = kernel_memory_private(mem, fd, &at);

	if (!err)
		err = kernel_memory_field(mem, at, f->socket_sk, 8, &at);
	if (!err)
		err = kernel_memory_field(mem, at, f->tx_head, 4, &tx);
	if (!err)
		err = kernel_memory_field(mem, at, blocks ? f->rx_block : f->rx_head, blocks ? 2 : 4, &rx);
	if (!err && blocks)
		err = kernel_memory_field(mem, at, f->rx_frozen, 1, &frozen);
	if (!err)
		*ret = (struct packet_ring_place){ .rx = rx, .tx = tx, .frozen = frozen };
	return err;
}
