/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Data sent over connections that have not been accepted yet. No descriptor refers to them: they are read from kernel
 * memory, which is stable only if both the listening and the sending processes are frozen.
 */
#pragma once
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "util/array.h"
#include "util/str.h"

struct pending_packet {
	size_t at, len; /* in the connection's bytes; at most one packet for TCP */
	bool has_rights; /* it contains descriptors */
	bool has_credentials;
	int32_t pid; /* in our own PID namespace, 0: not visible there */
	uint32_t uid, gid;
};
ARRAY_OF(pending_packets, struct pending_packet);

struct pending_connection {
	uint32_t client; /* unix: inode of the connected socket; 0: closed */
	bool urgent; /* MSG_OOB data are pending */
	int family; /* TCP: of the end to be accepted; addresses and ports in network order */
	struct in6_addr local, remote; /* IPv4: in the first word */
	uint16_t local_port, remote_port;
	bool finished; /* TCP: a FIN was received */
	struct pending_packets packets;
	struct buf bytes;
};
ARRAY_OF(pending_connections, struct pending_connection);

struct pending_reader;
/* -EPERM, -EOPNOTSUPP, -ENOENT: not available on this kernel, or not permitted. Takes some ms: call it once per run. */
int pending_open(struct pending_reader **ret);
void pending_close(struct pending_reader *reader);
#define _cleanup_pending_ __attribute__((cleanup(pending_close_ptr)))
void pending_close_ptr(struct pending_reader **reader);
/* Appends the connections waiting to be accepted at our descriptor @listening to @to, in order. */
int pending_unix(struct pending_reader *reader, int listening, struct pending_connections *to);
int pending_tcp(struct pending_reader *reader, int listening, struct pending_connections *to);
void pending_free(struct pending_connections *connections);
