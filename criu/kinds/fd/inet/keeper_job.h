/* SPDX-License-Identifier: GPL-2.0-only */
/* What the keeper (keeper.h) reads of one socket, in states that its program would notice. */
#pragma once
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>

enum keeper_what {
	KEEPER_STREAM, /* a connection, in repair mode: numbers, both queues */
	KEEPER_BYTES, /* what can still be read of one that is over */
	KEEPER_DATAGRAMS, /* struct keeper_datagram, with its bytes, one after the other */
};

/* Lies in memory that both processes see. */
struct keeper_job {
	enum keeper_what what;
	int fd;
	int reuse; /* SO_REUSEADDR, which leaving repair mode forgets */
	uint32_t in_len, out_len; /* what is to be read; datagrams: in_len is room */
	bool urgent; /* KEEPER_STREAM with urgent data (MSG_OOB): in_len is room, @used bytes are there */
	int offset; /* SO_PEEK_OFF, while it is another one */
	bool offset_moved;
	/* Answers; valid until the next keeper_read(). */
	int err;
	char *in, *out;
	uint32_t used; /* datagrams, or urgent data: bytes at @in */
	uint32_t mark; /* the urgent byte at @in, 0 if its value is not told any more */
	bool mark_read; /* the program has it */
	uint32_t in_seq, out_seq, mss, timestamp;
	bool has_window;
	struct tcp_repair_window window;
};

struct keeper_datagram {
	uint32_t len, from_len;
	char from[28]; /* sockaddr_in or sockaddr_in6 */
};

/* In the keeper. */
int keeper_job_run(struct keeper_job *job);
/* In the dumper, when the keeper is gone: what it may have left half done. */
void keeper_job_undo(struct keeper_job *job);
