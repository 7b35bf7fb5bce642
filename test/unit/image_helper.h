/* SPDX-License-Identifier: GPL-2.0-only */
/* Shared by the tests of the image module: cases that print `ok NAME` or `not ok NAME: why`, scratch directories. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "image/store.h"
#include "image/reader.h"
#include "image/writer.h"

/* Run one case: @test returns NULL, or what was wrong. */
void run_case(const char *name, const char *(*test)(void));
/* Exit code of the program. */
int cases_failed(void);

/* A formatted reason; valid until the next call. */
const char *because(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#define EXPECT(condition)                                                            \
	do {                                                                         \
		if (!(condition))                                                    \
			return because("%s:%d: %s", __FILE__, __LINE__, #condition); \
	} while (0)

/* A new empty directory below TMPDIR, removed with its contents by scratch_remove(). Aborts on failure. */
char *scratch_create(void);
void scratch_remove(char *path);
#define _cleanup_scratch_ __attribute__((cleanup(scratch_cleanup)))
void scratch_cleanup(char **path);

/* The whole file, NULL if it does not exist; the caller frees it. */
uint8_t *slurp(const char *dir, const char *name, size_t *ret_len);
void spew(const char *dir, const char *name, const void *buf, size_t len);
bool is_there(const char *dir, const char *name);
bool same_file(const char *dir1, const char *name1, const char *dir2, const char *name2);

/* A message with every field set in a way that depends on `seed`; freed with image_free_record(). */
ProtobufCMessage *make_message(const ProtobufCMessageDescriptor *type, unsigned int seed, int depth);

/* Number of raw bytes after record `msg`, the `nth` of its image; `left` is the rest of the file. */
size_t payload_size(enum image_type type, const ProtobufCMessage *msg, unsigned long nth, size_t left);

/* Read every record and payload of an image, and copy them to the writer, if any. 0 or the reader's error. */
int walk_image(enum image_type type, struct image_reader *img, struct image_writer *copy, unsigned long *ret_records);

/*
 * An image store in memory that contains these bytes as an image, framing included; a sanitizer detects any overread.
 */
struct image_store *store_of_bytes(enum image_type type, uint64_t id, const void *buf, size_t len);
