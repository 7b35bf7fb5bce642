/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A small process beside the dumper for what must not stay half done when the dumper is killed. It alone puts sockets of
 * the tree into states that their programs would notice (repair mode, peek offsets), and always finishes the one it has
 * begun before the tree can move (run/guard.h); later it takes back the lock of the network, or closes connections silently, if nobody is left to do it.
 */
#pragma once
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

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

/* What it may have to take back. */
struct keeper_care {
	int netlink; /* owns the lock's table; -1: none */
	const char *table; /* name of the one that outlives the dumper */
	const int *pidfds; /* of the tree */
	size_t nr_pidfds;
};

struct keeper;
struct guard;

/* @ret_jobs: to be filled in before keeper_start(). */
int keeper_new(size_t nr_jobs, struct keeper **ret, struct keeper_job **ret_jobs);
/* Forks. @guard: of the dump. It sees @care and the jobs' descriptors as they are now. */
int keeper_start(struct keeper *keeper, const struct keeper_care *care, struct guard *guard);
/* Does as many jobs from @first on as its memory holds, at least one: their number, or a negative errno. */
ssize_t keeper_read(struct keeper *keeper, size_t first);
/* From now on: if the dumper dies while the tree lives, the lasting lock goes; if both are gone, connections end unheard. */
void keeper_tree_ends(struct keeper *keeper);
/* Nothing is left to care for. */
void keeper_release(struct keeper *keeper);
/* The same; and it is gone, with its copies. NULL is fine. */
void keeper_free(struct keeper *keeper);
