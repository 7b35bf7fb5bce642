/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How a restore and a daemon that was started before (criu lazy-pages) meet: at a socket in the work directory. A restore binds its
 * own end to an abstract name that says which images it restores, which CRIU ignores, so that it never gets the memory of others. Then
 * the daemon greets it: from there on no userfaultfd that was sent is lost if the daemon is killed.
 */
#pragma once
#include <stdbool.h>
#include <sys/types.h>

struct image_store;
struct options;

#define LAZY_ID_SIZE 64

/* Which images these are: the id of their dump, or the directory if they have none. Errors are logged. */
int lazy_identity(const struct options *opts, struct image_store *dir, char ret_id[static LAZY_ID_SIZE]);

/* What a daemon can do, by the name of its socket: CRIU's neither. */
struct lazy_peer {
	bool greets;
	bool inherits; /* it supplies pages of parent images, too */
};

/*
 * The side of the restore: a connection; or, not logged, -ENOENT: there is no daemon, or -EAGAIN: others wait, try again. ret_peer->greets: the
 * daemon is this program, and is going to send one byte 0; or else text, the reason why it does not serve us.
 */
int lazy_connect(const struct options *opts, const char *id, struct lazy_peer *ret_peer);

/* The side of the daemon. */
struct lazy_client {
	int sock;
	pid_t tool; /* 0: unknown */
	bool waits; /* for lazy_greet(): it is not CRIU's */
};

/* A descriptor that does not block. Errors are logged. */
int lazy_listen(const struct options *opts);
/* -EAGAIN: there is none, or it restores other images than those of @id: it has been told. */
int lazy_accept(int listener, const char *id, struct lazy_client *ret);
/* All that wait to be accepted. 0, or a negative errno, logged. */
int lazy_refuse_all(int listener, const char *id, const char *why);
/* 0 or a negative errno. */
int lazy_greet(const struct lazy_client *client);
