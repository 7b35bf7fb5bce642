/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a file of the images is, for people: fd_kind.describe fills it from the record alone, of which nothing is trusted. Names
 * are taken as they are: whoever prints them makes them harmless.
 */
#pragma once
#include <stdbool.h>
#include "fdinfo.pb-c.h"
#include "image/catalog.h"
#include "util/str.h"

/* Records that others refer to. */
struct record_finder {
	/* The record with this id in an image of this type, of the message of that type; NULL: there is none. */
	const void *(*find)(const struct record_finder *, enum image_type, uint64_t id);
};

struct description {
	const struct record_finder *finder; /* given */
	struct buf text; /* "TCP 0.0.0.0:80 listening" */
	const char *path; /* NULL: it has none */
	bool connects; /* a socket: it connects the tree with something else, or could */
	/* What it sends or receives, others of the tree have, too: the same number for all of them. 0: nothing. */
	uint64_t flow;
	bool reads, writes;
	struct buf peer; /* address of the other end, wherever it is; empty: it has none */
	int err; /* -ENOMEM */
};

void describe_add(struct description *d, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The path of a file that is in the images on behalf of another one. */
const char *describe_path_of(const struct description *d, uint32_t file_id);
/* @sort: of the numbers. @flags: of open(2) */
void describe_flow(struct description *d, const char *sort, uint64_t number, unsigned flags);
/* Describes @file, of any kind. 0 or -ENOMEM. Free with description_free() in any case. */
int describe(const FileEntry *file, const struct record_finder *finder, struct description *ret);
void description_free(struct description *d);
#define _cleanup_description_ __attribute__((cleanup(description_free)))
/* The name of its kind; "unknown". */
const char *describe_kind(const FileEntry *file);
