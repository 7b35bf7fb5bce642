// SPDX-License-Identifier: GPL-2.0-only
#include "kmem/packet_ring.h"
#include <errno.h>
#include "base/bits.h"
#include "kmem/reader.h"

#define FIELDS(X, O)                                                         \
	X(socket_sk, "socket", "sk", NULL)                                   \
	X(tx_head, "packet_sock", "tx_ring.head", NULL)                      \
	X(rx_head, "packet_sock", "rx_ring.head", NULL)                      \
	X(rx_block, "packet_sock", "rx_ring.prb_bdqc.kactive_blk_num", NULL) \
	X(rx_frozen, "packet_sock", "rx_ring.prb_bdqc.reset_pending_on_curr_blk", NULL)

KERNEL_READER(packet_ring_reader, FIELDS)

KERNEL_READER_FUNCTIONS(packet_ring_reader, packet_ring_open, packet_ring_close, KERNEL_READER_ANY, KERNEL_READER_KEEPS)

int packet_ring_place(struct packet_ring_reader *reader, int fd, bool blocks, struct packet_ring_place *ret)
{
	const struct kernel_memory *mem = &reader->mem;
	const struct fields *f = &reader->at;
	uint64_t at, rx = 0, tx = 0, frozen = 0;
	const struct kernel_word of_frames[] = { { f->tx_head, 4, &tx }, { f->rx_head, 4, &rx } };
	const struct kernel_word of_blocks[] = { { f->tx_head, 4, &tx },
						 { f->rx_block, 2, &rx },
						 { f->rx_frozen, 1, &frozen } };
	int err = kernel_memory_private(mem, fd, &at);

	if (!err)
		err = kernel_memory_field(mem, at, f->socket_sk, 8, &at);
	if (!err)
		err = blocks ? kernel_words_read(mem, at, of_blocks, ARRAY_SIZE(of_blocks)) :
			       kernel_words_read(mem, at, of_frames, ARRAY_SIZE(of_frames));
	if (!err)
		*ret = (struct packet_ring_place){ .rx = rx, .tx = tx, .frozen = frozen };
	return err;
}
