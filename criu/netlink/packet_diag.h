/* SPDX-License-Identifier: GPL-2.0-only */
/* Properties of packet sockets that only sock_diag reports. sock_diag(7), include/uapi/linux/packet_diag.h */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PACKET_DIAG_MEMBERS_MAX 32u

struct packet_diag_member {
	uint32_t interface, count;
	uint16_t type, len;
	uint8_t address[32];
};

struct packet_diag_ring_config {
	uint32_t block_size, block_nr; /* block_nr 0: no ring */
	uint32_t frame_size, frame_nr, retire_tmo, sizeof_priv, features;
};

struct packet_diag_socket {
	uint16_t protocol; /* ETH_P_*, host byte order */
	uint32_t interface; /* 0: any */
	bool has_fanout;
	struct packet_diag_ring_config rx_ring, tx_ring;
	uint32_t fanout;
	size_t nr_members;
	struct packet_diag_member members[PACKET_DIAG_MEMBERS_MAX];
};

/* For the socket with this inode; -ENOENT. */
int packet_diag_read(uint32_t ino, struct packet_diag_socket *ret);
/* For tests: parses messages as the kernel sends them. */
int packet_diag_parse(const void *messages, size_t len, uint32_t ino, struct packet_diag_socket *ret);
