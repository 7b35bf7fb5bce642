/* SPDX-License-Identifier: GPL-2.0-only */
/* Copies the content of pages from a process or a file to a sink. */
#pragma once
#include <stdatomic.h>
#include <sys/types.h>
#include <sys/uio.h>
#include "kernel/pagemap_scan.h"
#include "memory/page_sink.h"
#include "memory/turns.h"
#include "run/stats.h"
#include "util/array.h"

struct shared_pages;

struct page_origin {
	const char *name; /* in messages */
	pid_t pid; /* for process_vm_readv(2) */
	int fd; /* /proc/PID/mem, or a file: addresses are offsets */
	uint64_t size; /* of the file: zeros fill its last page; UINT64_MAX: unlimited */
	/*
	 * The process runs: pages that are not in its page map any more are zeros in the copy, and nothing refers to them. NULL: all
	 * of them are there.
	 */
	const struct page_scan *running;
	/*
	 * Pages may be shared copy-on-write, as this shows: they are read through @fd where they are. NULL: whoever adds them
	 * knows.
	 */
	const struct shared_pages *shared;
};

ARRAY_OF(page_pieces, struct iovec);
ARRAY_OF(page_jobs, struct page_job);

/* Read-only while threads work, except for @next and below. Zeros are a valid initial value of all members. */
struct page_copy {
	struct page_origin from;
	struct page_sink *sink;
	struct progress *progress;
	char **buffer; /* where the caller's thread keeps its buffer for the next copy; NULL: not kept */
	void (*between)(void *arg); /* called by the caller's thread after each job; NULL, or without @buffer: never */
	void *between_arg;
	struct page_pieces pieces;
	struct page_jobs jobs;
	uint64_t bytes; /* of all jobs */
	atomic_size_t next; /* next job to be done */
	atomic_int failed;
	/* For sinks that accept zeros: batches get their offsets one after another. */
	struct turns placing;
	uint64_t placed_bytes, zero_bytes, lazy_zero_bytes; /* of the thread whose turn it is */
	atomic_ulong read_us, write_us;
};

/* A run with content, in the order passed to the sink. @by_fd: not by process_vm_readv(2). */
int page_copy_add(struct page_copy *c, const struct page_run *run, bool by_fd);
/* The same for one whose content is in our memory already, and remains there. */
int page_copy_add_ready(struct page_copy *c, const void *data, uint64_t len);
/* Begins the sink, and writes everything that was added to it. */
int page_copy_run(struct page_copy *c);
void page_copy_free(struct page_copy *c);
/* Frees what page_copy.buffer points to. */
void page_buffer_free(char **buffer);
