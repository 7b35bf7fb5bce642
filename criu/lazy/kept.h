/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Internal to this module: pages of a source elsewhere, for several restores. Each crosses the network once; a file without a name in the work
 * directory keeps it for the others.
 */
#pragma once
#include "lazy/state.h"

struct kept;

/* Connects to the source, and reserves space for all that is there. Errors are logged. */
int kept_begin(struct lazy_daemon *d, struct kept **ret);
int kept_file(const struct kept *kept);
/* Readable: kept_answer(). -1: the source is not needed any more, or lost. */
int kept_watch(const struct kept *kept);
void kept_answer(struct kept *kept);
/* How many of @len bytes at @vaddr are in the file, and where; 0: the first page is not. */
uint64_t kept_find(const struct kept *kept, pid_t pid, uint64_t vaddr, uint64_t len, uint64_t *ret_at);
/*
 * Nothing is being asked for, and the first page is not in the file: asks for it, and some of the others. A negative errno, logged: it will
 * never come.
 */
int kept_ask(struct kept *kept, pid_t pid, uint64_t vaddr, uint64_t len);
bool kept_is_asking(const struct kept *kept);
/* The same for what no restore has needed yet, if there is something. */
void kept_ask_more(struct kept *kept);
/* Not all pages are here, and no more will come. */
bool kept_is_lost(const struct kept *kept);
/* @complete: nobody misses a page. NULL is fine. */
void kept_end(struct kept *kept, bool complete);
