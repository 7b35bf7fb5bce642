/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * All images in one stream of bytes. It begins with a struct stream_head; then come frames, each followed by its bytes.
 * Numbers are little-endian. Each checksum includes the one before: no frame can be missing, repeated or elsewhere
 * unnoticed. A stream without the frame FRAME_END is not a dump. Before a dump,
 * the same stream may have the previous images that it refers to, each from its own head to a FRAME_END_PREVIOUS.
 */
#pragma once
#include <stdint.h>

#define STREAM_MAGIC "CRIUIMGS"

enum {
	STREAM_VERSION = 1,
	FRAME_MAX = 1 << 20, /* bytes of one frame */
};

struct stream_head {
	char magic[8];
	uint32_t version;
	uint32_t sum; /* CRC-32C of what is before it */
};

enum frame_kind {
	FRAME_IMAGE = 1, /* begins an image: its name */
	FRAME_DATA = 2, /* next bytes of an image */
	FRAME_IMAGE_END = 3, /* a u64: the length of the image */
	/* A u64: the number of images; the last one was the inventory. The stream is closed when the tree has ended. */
	FRAME_END = 4,
	FRAME_REFER =
		6, /* the first frame of images that refer to the previous ones: the id of their run, a UUID in text */
	FRAME_END_PREVIOUS = 7, /* as FRAME_END, of previous images: the head of others follows */
	FRAME_CANCEL = 5, /* forget everything: the dump has failed. The end, or the head of another attempt */
};

/* Frames of different images may alternate; of several pages images only after one another. */
struct stream_frame {
	uint32_t kind;
	uint32_t image; /* its number, from 1 on in the order of FRAME_IMAGE */
	uint32_t len; /* of the bytes that follow */
	uint32_t sum; /* CRC-32C, continued from the previous frame, of this struct up to here and of the bytes */
};
