/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Lazy pages: a daemon that supplies the pages of a restored tree when they are first accessed, and all others in the
 * background. Restore connects to a daemon that was started before (criu lazy-pages), or starts one.
 */
#pragma once
#include <stdint.h>

struct image_store;
struct options;

#define LAZY_SOCKET "lazy-pages.socket" /* in the work directory */
#define LAZY_COMMITTED 0x52535446 /* the tree is complete, and is going to run */

/*
 * In a restore: a daemon for the images in @dir. *ret_sock is a connection to it, on which it sends one byte when it
 * is ready. Errors are logged, also its own.
 */
int lazy_spawn(const struct options *opts, struct image_store *dir, int *ret_sock);
/* criu lazy-pages. Errors are logged. */
int lazy_pages_run(const struct options *opts);
