/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the holder has to know if the daemon is killed: which userfaultfds there are, and which events the daemon has read.
 * An event that has been read is gone from the kernel, so the kernel itself stores it here: a read is not interrupted by
 * SIGKILL, so at any instant it is either still in the kernel, or here.
 */
#pragma once
#include <linux/userfaultfd.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

#define JOURNAL_SLOTS 1024
#define JOURNAL_BATCH 16
/* Written by the daemon: it closes this userfaultfd, of whose process nothing is missing. */
#define JOURNAL_CLOSED 0xf1

/* What restore sends for a process: its pid, then the descriptor. */
struct lazy_arrival {
	int32_t pid; /* in the images; 0: nothing yet; negative: it has no memory of its own */
	_Atomic uint32_t complete; /* by the daemon */
	_Atomic uint32_t has_pidfd;
	int32_t pidfd; /* of that process, if it may have to be ended */
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int)) +
					      CMSG_SPACE(sizeof(struct ucred))]; /* as received */
};

/* Is the source a tree that continues if it loses us? Then the restored one must not. */
enum lazy_source {
	LAZY_SOURCE_IMAGES,
	LAZY_SOURCE_LIVE,
	LAZY_SOURCE_UNKNOWN, /* it has not been asked for anything, as nothing is missing: it may be one */
};

enum lazy_end {
	LAZY_UNFINISHED,
	LAZY_CONFIRMING, /* nothing is missing, and the source is being told */
	LAZY_FINISHED, /* the daemon ends */
};

struct lazy_journal {
	_Atomic uint32_t committed; /* the tree is complete: the connection to the restore may be closed */
	_Atomic uint32_t live; /* enum lazy_source */
	_Atomic uint32_t out_of_reach; /* processes of the tree that could not be ended */
	_Atomic uint32_t finished; /* enum lazy_end */
	_Atomic uint64_t head, tail; /* slots in use: the daemon adds, the holder removes */
	/* Slots behind @head that are not 0 have been read by a daemon that was killed before it moved @head. */
	struct uffd_msg msg[JOURNAL_SLOTS];
	int32_t uffd[JOURNAL_SLOTS]; /* where it was read */
	size_t nr_arrivals;
	struct lazy_arrival arrivals[];
};

/* In memory that is shared with later children; NULL: out of memory. */
struct lazy_journal *journal_new(size_t nr_arrivals);
/* The descriptor that came with it; -1: none. */
int journal_arrived_fd(const struct lazy_arrival *arrival);
/* The process that has sent it, in our pid namespace; 0: unknown. */
pid_t journal_arrived_pid(const struct lazy_arrival *arrival);
/* How many messages may be read into journal->msg at the slot of @head now; 0: the holder has to catch up first. */
size_t journal_room(const struct lazy_journal *journal);
