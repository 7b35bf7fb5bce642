/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The connection to a streamer. For each image we send its name (a u32 length and an img_streamer_request_entry). In a dump
 * a descriptor follows, the reading end of a pipe that we write the image to; in a restore the reply says whether there is
 * such an image, and brings the writing end of a pipe that we pass back.
 */
#pragma once
#include "image/catalog.h"
#include "image/error.h"
#include "image/store.h"

#define STREAMER_CAPTURE "streamer-capture.sock"
#define STREAMER_SERVE "streamer-serve.sock"

/* Returns a descriptor, or a negative errno with a text. */
int streamer_connect(int dir_fd, const char *name, struct image_error *ret_error);
int streamer_send_name(int sock, const char *name);
/* A byte with @fd. */
int streamer_send_fd(int sock, int fd);
