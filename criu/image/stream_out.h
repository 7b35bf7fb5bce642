/* SPDX-License-Identifier: GPL-2.0-only */
/* The common part of stores that send images: small ones are sent together at the end, the inventory alone. */
#pragma once
#include "image/image_set.h"
#include "image/store_ops.h"

struct stream_out;

enum { STREAM_END_MAX = 64 };

/* How images are sent; several may be under way at a time. 0 or a negative errno, with a text. */
struct stream_out_ops {
	/* Sets @out's own. */
	int (*start)(struct stream_out *s, struct image_out *out);
	int (*data)(struct stream_out *s, struct image_out *out, const void *buf, size_t len);
	int (*end)(struct stream_out *s, struct image_out *out);
	/* Frees what @out has, also after a failure. */
	void (*drop)(struct stream_out *s, struct image_out *out);
	/* Sends the inventory (NULL: there is none), and whatever says that this was all, but for its stream_out_end(). */
	int (*send_but_end)(struct stream_out *s, const struct image_bytes *inventory);
	/* The end has been sent, or has failed to be with @err. */
	int (*seal)(struct stream_out *s, int err);
	/* What has been sent is invalid. */
	void (*cancel)(struct stream_out *s);
	void (*free)(struct stream_out *s);
};

struct stream_out {
	struct image_store store; /* first */
	const struct stream_out_ops *ops;
	int fd; /* where it is sent */
	bool refers; /* to images that the reader has to have: it may refuse these before they are complete */
	int stop_fd; /* image_stream_set_stop(); -1: none */
	struct image_set held;
	struct image_bytes *inventory;
	bool prepared, sealed;
	/* The last bytes, which complete the stream, and a pipe that has what has not been sent of them; -1: there are none. */
	char end[STREAM_END_MAX];
	size_t end_len;
	int end_fd, end_to;
};

/* The last bytes, for the descriptor @to: sent by image_store_seal(). 0 or a negative errno, without a text. */
int stream_out_end(struct stream_out *s, int to, const void *buf, size_t len);

/* Writes all of it to @fd, which is @s's own, or a pipe of one image. 0 or a negative errno, without a text. */
int stream_out_write(const struct stream_out *s, int fd, const void *buf, size_t len);
/* Until @fd can be written to. */
int stream_out_wait(const struct stream_out *s, int fd);
void stream_out_init(struct stream_out *s, const struct stream_out_ops *ops, int fd);
