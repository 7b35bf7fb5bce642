/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The side of a dump in the page server's protocol. The server has everything only if page_client_finish() returned 0: a
 * session that ends otherwise ends without a CLOSE, which a server must not take for success. Errors are logged; after
 * one, only page_client_free() is allowed.
 */
#pragma once
#include <sys/uio.h>

#include "run/options.h"
#include "transport/message.h"
#include "util/uuid.h"

struct page_client;

/* Connects. @stop_fd: see struct connection. */
int page_client_new(const struct options *opts, int stop_fd, struct page_client **ret);
void page_client_set_stop(struct page_client *client, int stop_fd);
/* Ends an unfinished session. NULL is allowed. */
void page_client_free(struct page_client *client);

/* For each of @n images: has the server's parent the one that the dump @run has sent? A number of enum page_client_parent. */
enum page_client_parent { PARENT_LACKS, PARENT_HAS, PARENT_IS_OTHER };
int page_client_ask_parent(struct page_client *client, const uint64_t *dsts, size_t n, const struct uuid *run,
			   enum page_client_parent *ret);

/* Begins an image of the dump @run; the previous one ends. Does not wait for the server. */
int page_client_open_image(struct page_client *client, uint64_t dst, const struct uuid *run);

/* The header of a run of the image that was begun last, to be sent; with PRESENT, its content has to follow. */
void page_client_encode_run(struct page_client *client, uint16_t flags, uint64_t vaddr, uint64_t nr_pages,
			    uint8_t ret[MESSAGE_SIZE]);
/* Sends headers and content. The pieces are used up. */
int page_client_send(struct page_client *client, struct iovec *pieces, size_t n);

/* With --page-checksums: those of the pages that are sent next, in the order in which they are sent. */
void page_client_add_sums(struct page_client *client, const uint32_t *sums, size_t n);

/* Nothing more comes: waits until the server has saved everything. */
int page_client_finish(struct page_client *client);
/* After that: the dump is complete. A server may wait for it before it frees pages of older images. */
void page_client_tell_complete(struct page_client *client);
