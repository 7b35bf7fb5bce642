/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Stores (image/store.h) whose images are not in a directory, but are sent or received, each once. One for writing has
 * only images that are written sequentially: image_store_sequential(). Its images become valid, and cannot be taken back,
 * with image_store_seal().
 *
 * Two forms: sequential, all images in one stream of bytes (image/stream_frame.h), for a pipe or a socket; and a streamer,
 * another process with a socket in the images directory that is passed a pipe for each image (the protocol of
 * criu-image-streamer).
 */
#pragma once
#include "image/store.h"

/*
 * Of a store for writing: while the reader does not read, wait until @stop_fd is readable at the longest; then -EINTR. Only where
 * write(2) does not wait itself: a descriptor with O_NONBLOCK, or a socket.
 */
void image_stream_set_stop(struct image_store *store, int stop_fd);
/* Takes @fd over, on success. The first byte is written when the first image is. */
int image_stream_write(int fd, struct image_store **ret_store);
/*
 * Of such a store, before its first image: these are previous images, and the stream goes on with others; these refer to the images of
 * this run, which came before in the same stream.
 */
void image_stream_set_previous(struct image_store *store);
void image_stream_refer(struct image_store *store, const char *run_id);
/*
 * Receives all images, with the previous ones that they refer to as their parents, verifies them, and takes no descriptor over. @dir_fd: where pages are kept (spool_new). On failure
 * *@ret_error says why.
 */
int image_stream_read(int fd, int dir_fd, struct image_error *ret_error, struct image_store **ret_store);

/* Connect to a streamer by its socket in the directory @dir_fd. */
int image_streamer_capture(int dir_fd, struct image_error *ret_error, struct image_store **ret_store);
int image_streamer_serve(int dir_fd, int spool_dir, struct image_error *ret_error, struct image_store **ret_store);
