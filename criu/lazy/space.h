/* SPDX-License-Identifier: GPL-2.0-only */
/* The pages of one address space that a daemon still has to supply, and where they come from. Plain data. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Sorted by address, disjoint. */
struct lazy_range {
	uint64_t start, end; /* where the pages are now */
	uint64_t at; /* of the page at @start: its offset in @fd, or its address in the images */
	uint64_t bit; /* of the page at @start in lazy_space.done; the next ones follow */
	int fd; /* borrowed; -1: the page is at the source */
};

struct lazy_space {
	struct lazy_space *next;
	pid_t pid; /* in the images; of a process that was forked since: that of the one that it descends from */
	bool forked;
	int uffd; /* -1: has not arrived, or is closed */
	bool ended; /* nothing is missing any more, or the process has exited */
	struct lazy_range *v;
	size_t n, room;
	uint64_t *done; /* bitmap: pages that have been supplied */
	uint64_t bits;
	uint64_t missing; /* pages in @v that have not */
	uint64_t lost; /* pages that could not be supplied: inaccessible */
	size_t cursor; /* where the background is in @v */
};

struct lazy_space *space_new(pid_t pid);
void space_free(struct lazy_space *space);
/* While images are loaded, in ascending order. 0 or -ENOMEM. */
int space_add(struct lazy_space *space, uint64_t start, uint64_t end, int fd, uint64_t at);
/* When all ranges are there. 0 or -ENOMEM. */
int space_begin(struct lazy_space *space);
/* The first range that ends after @addr: its index, or @n. */
size_t space_index(const struct lazy_space *space, uint64_t addr);
/* The range that contains it, or NULL. */
struct lazy_range *space_find(const struct lazy_space *space, uint64_t addr);
/* From @addr on, how many of the next @len bytes, all of one range, are pages that are missing (@missing) or not. */
uint64_t space_stretch(const struct lazy_space *space, const struct lazy_range *range, uint64_t addr, uint64_t len,
		       bool missing);
bool space_is_missing(const struct lazy_space *space, const struct lazy_range *range, uint64_t addr);
void space_supplied(struct lazy_space *space, const struct lazy_range *range, uint64_t addr, uint64_t len);

/* What the process has done with its memory. 0 or -ENOMEM. */
int space_drop(struct lazy_space *space, uint64_t start, uint64_t end);
int space_move(struct lazy_space *space, uint64_t from, uint64_t to, uint64_t len);
struct lazy_space *space_fork(const struct lazy_space *parent, int uffd);
