/* SPDX-License-Identifier: GPL-2.0-only */
/* Internal to this module: pages that are at a source on another machine. */
#pragma once
#include "lazy/state.h"

/* Connects, and fetches a first page: it is certain then whether the source is a tree that may run again. Errors are logged. */
int remote_begin(struct lazy_daemon *d);
/*
 * In one of several daemons: another process, at @sock, has pages of the source in the file @kept, or fetches them. Takes @sock. Errors are
 * logged.
 */
int remote_begin_kept(struct lazy_daemon *d, int sock, int kept);

/* What that process does: connects to the source. -EBUSY, logged: it is a tree, or may be one. */
int remote_connect(struct lazy_daemon *d);
/* Fetches pages as @pid has them at @vaddr: *@len bytes at most, and sets it. *ret: until the next call. Errors are logged. */
int remote_fetch(struct lazy_daemon *d, pid_t pid, uint64_t vaddr, uint64_t *len, const char **ret);
/* While @fd is readable, waiting for the source fails, with -EINTR, not logged. */
void remote_stop_at(struct lazy_daemon *d, int fd);
/* @complete: nothing will be asked for any more; otherwise the source is to know that something is missing. */
void remote_disconnect(struct lazy_daemon *d, bool complete);
/* Another process has the connection. */
void remote_leave(struct lazy_daemon *d);

/* To watch for its end. */
int remote_fd(const struct lazy_daemon *d);
/* The source has ended the connection. Returns a negative errno, logged. */
int remote_hung_up(struct lazy_daemon *d);
/* With the lock: makes inaccessible what is missing and only at the source. -EAGAIN: not everywhere yet. */
int remote_give_up(struct lazy_daemon *d);
/* Nothing is missing: the source may end. A negative errno, logged: it continues instead, so the restored tree must not. */
int remote_end(struct lazy_daemon *d);
/* The holder, if the daemon has been killed while it said that. False: the source continues. */
bool remote_confirm_again(const struct lazy_daemon *d);
