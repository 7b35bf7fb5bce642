/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What was written into connections that nobody has accepted yet. No descriptor leads there: it is read out of the
 * kernel's memory, which holds still only if both the one who listens and the one who has written are frozen.
 */
#pragma once
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "util/array.h"
#include "util/str.h"

struct pending_packet {
	size_t at, len; /* in the connection's bytes; of TCP there is one at the most */
	bool has_rights; /* descriptors are in it */
	bool has_credentials;
	int32_t pid; /* as our own PID namespace sees it, 0: not at all */
	uint32_t uid, gid;
};
ARRAY_OF(pending_packets, struct pending_packet);

struct pending_connection {
	uint32_t client; /* unix: inode of who has connected; 0: is closed */
	bool urgent; /* MSG_OOB waits */
	int family; /* TCP: of the accepted end that is to be; addresses and ports in network order */
	struct in6_addr local, remote; /* IPv4: in the first word */
	uint16_t local_port, remote_port;
	bool finished; /* TCP: its FIN has come */
	struct pending_packets packets;
	struct buf bytes;
};
ARRAY_OF(pending_connections, struct pending_connection);

struct pending_reader;
/* -EPERM, -EOPNOTSUPP, -ENOENT: not on this kernel, or not by this user. It is dear (some ms): once in a run. */
int pending_open(struct pending_reader **ret);
void pending_close(struct pending_reader *reader);
#define _cleanup_pending_ __attribute__((cleanup(pending_close_ptr)))
void pending_close_ptr(struct pending_reader **reader);
/* The connections that wait at our descriptor @listening, in their order, appended to @to. */
int pending_unix(struct pending_reader *reader, int listening, struct pending_connections *to);
int pending_tcp(struct pending_reader *reader, int listening, struct pending_connections *to);
void pending_free(struct pending_connections *connections);
