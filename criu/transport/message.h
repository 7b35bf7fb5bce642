/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Messages between a dump, a page server and a lazy pages daemon: those of CRIU 4.2, 32 bytes in little-endian order.
 * There is no handshake and no version.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MESSAGE_SIZE 32

enum message_command {
	MESSAGE_ADD = 1, /* of older programs: ADD_F with PRESENT */
	MESSAGE_HOLE = 2, /* ADD_F with PARENT */
	MESSAGE_OPEN = 3, /* begins an image; no answer */
	MESSAGE_OPEN2 = 4, /* the same; answer: a byte, 1 if the parent of the receiver has an image of that name */
	MESSAGE_PARENT = 5, /* answer: int32, 1 if the parent has it */
	MESSAGE_ADD_F = 6, /* if PRESENT: followed by the content */
	MESSAGE_GET = 7, /* answer: ADD_F | PRESENT, maybe of fewer pages; dst is a pid, without a type */
	MESSAGE_ADD_F_COMPRESSED = 8, /* after 4.2 */
	MESSAGE_CLOSE = 0x1023, /* answer: int32, 0 on success */
	MESSAGE_FORCE_CLOSE = 0x1024, /* the same, if the socket may stay open elsewhere (--ps-socket) */
	/* Of our own, unknown to 4.2, which fails then, as it should: the dump has failed. No answer. */
	MESSAGE_ABANDON = 0x10ff,
	/* After an answer of MESSAGE_SAVED_TELL_ME alone: the dump is complete, and its tree ended or goes on. No answer. */
	MESSAGE_COMPLETE = 0x10fe,
};

/* As in pagemap images. */
enum message_flags { MESSAGE_IN_PARENT = 1, MESSAGE_LAZY = 2, MESSAGE_PRESENT = 4 };

struct message {
	uint16_t command; /* enum message_command, or anything that was received */
	uint16_t flags;
	/*
	 * 4.2 sends random bytes here and ignores them. Ours sends MESSAGE_MARK: the peer is this program (a protocol
	 * must not depend on more than that, and never on its absence).
	 */
	uint32_t mark;
	uint64_t nr_pages;
	uint64_t vaddr; /* or the offset in a shared segment */
	uint64_t dst;
};

#define MESSAGE_MARK 0x326e6f6du
/* The same, from the source of a lazy restore: it is a tree that continues if the connection is lost. */
#define MESSAGE_MARK_LIVE 0x326e6f6eu
/* The same, in CLOSE: a server that has to know whether the dump became complete may answer MESSAGE_SAVED_TELL_ME. */
#define MESSAGE_MARK_TELLS 0x326e6f6fu
/* Like 0: everything is saved. The connection stays open until MESSAGE_COMPLETE; if it ends without, the dump has failed. */
#define MESSAGE_SAVED_TELL_ME 1
/*
 * The same, in OPEN: nr_pages and vaddr are the id of the dump that sends (a UUID, the higher half first); and in PARENT: that of the
 * previous one, which the images in the parent have to be of. 4.2 ignores these fields there.
 */
#define MESSAGE_MARK_RUN 0x326e6f70u
/* An answer to such a PARENT, besides 0 and 1: it is an image of another dump. */
#define MESSAGE_OTHER_PARENT 2

/*
 * The same, in PARENT: may the server write a checksum of each page? Ours answers MESSAGE_SUMS_AGREED, and does so for the rest of the
 * session; then dst of CLOSE is a checksum (CRC-32C) over those of all pages that were sent, as little-endian numbers. Any other
 * program answers 0 or 1.
 */
#define MESSAGE_MARK_SUMS 0x326e6f71u
#define MESSAGE_SUMS_AGREED 3

/* Is the peer this program? */
static inline bool message_is_ours(const struct message *m)
{
	return m->mark >= MESSAGE_MARK && m->mark <= MESSAGE_MARK_SUMS;
}

void message_encode(const struct message *m, uint8_t to[MESSAGE_SIZE]);
void message_decode(const uint8_t from[MESSAGE_SIZE], struct message *ret);
/* For errors: "ADD_F", or "command 77". */
const char *message_name(uint16_t command, char *buffer, unsigned int size);

/* Continues @sum by those of @n pages. */
uint32_t message_sum(uint32_t sum, const uint32_t *page_sums, size_t n);

/* What `dst` refers to. */
enum message_target { MESSAGE_TASK = 1, MESSAGE_SEGMENT = 2 };

uint64_t message_dst(enum message_target target, uint64_t id);
/* -EINVAL: a type that no program has ever sent. */
int message_parse_dst(uint64_t dst, enum message_target *ret_target, uint64_t *ret_id);
