/* SPDX-License-Identifier: GPL-2.0-only */
/* What the keeper (keeper.h) reads from one socket, in states that its program would notice. */
#pragma once
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>

enum keeper_what {
	KEEPER_STREAM, /* a connection, in repair mode: sequence numbers and both queues */
	KEEPER_BYTES, /* unread data of a connection that has ended */
	KEEPER_DATAGRAMS, /* struct keeper_datagram, each followed by its data */
};

/* In memory shared with the keeper. */
struct keeper_job {
	enum keeper_what what;
	int fd;
	int reuse; /* SO_REUSEADDR, which is lost by leaving repair mode */
	uint32_t in_len, out_len; /* how much to read; datagrams: in_len is the size of the buffer */
	bool urgent; /* KEEPER_STREAM with urgent data (MSG_OOB): in_len is the buffer's size, @used bytes are valid */
	int offset; /* the original SO_PEEK_OFF while it is changed */
	bool offset_moved, inq_set;
	/* Results; valid until the next keeper_read(). */
	int err;
	char *in, *out;
	uint32_t used; /* datagrams, or urgent data: valid bytes at @in */
	uint32_t mark; /* offset of the urgent byte in @in; the byte is 0 if its value is not available any more */
	bool mark_read; /* the program has read it */
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
/* In the dumper, after the keeper was killed: undo a job that it left half done. */
void keeper_job_undo(struct keeper_job *job);
