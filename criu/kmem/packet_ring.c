// SPDX-License-Identifier: GPL-2.0-only
#include "kmem/packet_ring.h"
#include <errno.h>
#include <stdlib.h>
#include "kmem/kernel_memory.h"

struct packet_ring_reader {
	struct kernel_memory mem;
};

int packet_ring_open(struct packet_ring_reader **ret)
{
	struct packet_ring_reader *reader = calloc(1, sizeof(*reader));
	int err = reader ? kernel_memory_open(&reader->mem) : -ENOMEM;

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
	uint64_t at, rx = 0, tx = 0, frozen = 0;
	int err = kernel_memory_file(mem, fd, &at);

	if (!err)
		err = kernel_memory_field(mem, at, "file", "private_data", 8, &at);
	if (!err)
		err = kernel_memory_field(mem, at, "socket", "sk", 8, &at);
	if (!err)
		err = kernel_memory_field(mem, at, "packet_sock", "tx_ring.head", 4, &tx);
	if (!err && blocks)
		err = kernel_memory_field(mem, at, "packet_sock", "rx_ring.prb_bdqc.kactive_blk_num", 2, &rx);
	else if (!err)
		err = kernel_memory_field(mem, at, "packet_sock", "rx_ring.head", 4, &rx);
	if (!err && blocks)
		err = kernel_memory_field(mem, at, "packet_sock", "rx_ring.prb_bdqc.reset_pending_on_curr_blk", 1,
					  &frozen);
	if (!err)
		*ret = (struct packet_ring_place){ .rx = rx, .tx = tx, .frozen = frozen };
	return err;
}
