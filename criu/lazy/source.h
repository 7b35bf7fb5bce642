/* SPDX-License-Identifier: GPL-2.0-only */
/* The other side of a lazy restore from another machine: sends pages that are asked for (GET), until a CLOSE says that none is missing. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct connection;
struct options;

struct lazy_source {
	/*
	 * Reads pages of process @pid of the images, from @vaddr on: at most *@len bytes, and sets it to how many. A negative
	 * errno, logged.
	 */
	int (*read)(void *arg, pid_t pid, uint64_t vaddr, void *to, uint64_t *len);
	void *arg;
	bool live; /* a tree, which continues if the connection is lost: then the other one must not */
	void (*connected)(void *arg, const struct connection *c); /* may be NULL */
	void (*complete)(void *arg); /* the client has everything; may be NULL */
	const char *if_lost; /* what happens then, for the message */
};

/*
 * Listens (--address, --port, --ps-socket), reports that it is ready, and serves one client. 0: the client has all pages.
 * Otherwise a negative errno, logged. @stop_fd: see struct connection. @ready: see background_ready().
 */
int lazy_source_serve(const struct options *opts, const struct lazy_source *source, int stop_fd, int ready);
/* criu page-server --lazy-pages: the pages of the images directory. */
int lazy_images_serve(const struct options *opts);
