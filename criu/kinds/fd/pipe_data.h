/* SPDX-License-Identifier: GPL-2.0-only */
/* The content of a pipe or FIFO: pipes-data.img, fifo-data.img. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "base/cleanup.h"
#include "kinds/fd/record_table.h"
#include "kinds/fd/reopen.h"
#include "pipe-data.pb-c.h"
#include "run/dump.h"
#include "run/restore.h"
#include "util/log.h"

#define PIPE_SIZE_DEFAULT 65536

/* ---- dump ---- */

/* Save content and size of pipe @pipe_id; @local is any end of it. The content remains in the pipe. */
int pipe_data_save(struct dump *dump, enum image_type type, uint32_t pipe_id, int local);

/* ---- restore ---- */

struct pipe_data {
	struct record record; /* 0, pipe id */
	const PipeDataEntry *entry;
	const void *bytes;
};

/* Set the size and content of an empty pipe: @writer is an end to write to. @data may be NULL. */
int pipe_data_put(const struct pipe_data *data, int writer);

/* All open files of one pipe: the owner of one of them creates all of them. */
struct pipe_end {
	struct pipe_end *next;
	struct file *file;
	unsigned flags;
	const FownEntry *fown;
	bool quiet; /* a FIFO's reader that has not seen a writer yet */
};

struct pipe_group {
	struct record record; /* 0, pipe id */
	struct pipe_end *ends;
	struct file *maker; /* the first one linked */
	const struct pipe_data *data;
	const struct inherit_fd *given; /* --inherit-fd pipe:[ID] */
	int inherited; /* its descriptor, above service_base; before the first fork */
};

/* kind_data of a restore */
struct pipe_restore {
	bool loaded;
	struct record_table data, groups;
};

/* The kind's data, with the content of all its pipes (read from @type on first use). */
int pipe_restore_data(struct restore *r, const struct fd_kind *kind, enum image_type type,
		      struct pipe_restore **ret_data);
/* In load: @end belongs to pipe @pipe_id. */
int pipe_group_add(struct restore *r, struct pipe_restore *data, uint32_t pipe_id, struct pipe_end *end,
		   struct pipe_group **ret_group);
/* In link: which file creates @file. */
void pipe_group_link(struct pipe_group *group, struct file *file);
/*
 * In open of the maker: @fd is that of @end. It becomes *ret_fd if it is the maker's own, and is passed to its owner
 * otherwise. Takes ownership of @fd in any case.
 */
int pipe_end_provide(struct restore *r, const struct pipe_group *group, const struct pipe_end *end, int fd,
		     int *ret_fd);
