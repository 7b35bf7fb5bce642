/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Images that have been received, in files without a name: pages in the file system of a directory, all others in memory.
 * Forked processes share a spool: each sees what another one adds.
 */
#pragma once
#include "image/store.h"

struct spool;

/* @dir_fd: pages are stored there if possible, otherwise in memory; -1: in memory. */
int spool_new(int dir_fd, struct spool **ret_spool);
/* NULL is allowed. */
void spool_free(struct spool *spool);
int spool_move_fds(struct spool *spool, int min);

/* One process at a time may add. -EOWNERDEAD, -ENOTRECOVERABLE: another one was killed while it did. */
int spool_lock(struct spool *spool);
void spool_unlock(struct spool *spool);

/* 1: it is there. 0: nothing is known about it. -ENOENT: it is known not to exist. */
int spool_find(const struct spool *spool, enum image_type type, uint64_t id, struct image_extent *ret_extent);
/* The same, with a descriptor of the caller's; an error of dup(2) is possible, too. */
int spool_open(const struct spool *spool, enum image_type type, uint64_t id, struct image_extent *ret_extent);
/* -EEXIST: it is known already. -ENOSPC: too many images. */
int spool_add(struct spool *spool, enum image_type type, uint64_t id, const void *buf, size_t len);
int spool_add_absent(struct spool *spool, enum image_type type, uint64_t id);
/* A pages image, in pieces: begin, put..., end. One at a time. */
void spool_begin_pages(struct spool *spool);
int spool_put_pages(struct spool *spool, const void *buf, size_t len);
int spool_end_pages(struct spool *spool, uint64_t id);
/* Forgets all. */
void spool_clear(struct spool *spool);
