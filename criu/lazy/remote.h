/* SPDX-License-Identifier: GPL-2.0-only */
/* Internal to this module: pages that are at a source on another machine. */
#pragma once
#include "lazy/state.h"

/* Connects, and fetches a first page: it is certain then whether the source is a tree that may run again. Errors are logged. */
int remote_begin(struct lazy_daemon *d);
/* To watch for its end. */
int remote_fd(const struct lazy_daemon *d);
/* The source has ended the connection. Returns a negative errno, logged. */
int remote_hung_up(const struct lazy_daemon *d);
/* Nothing is missing: the source may end. A negative errno, logged: it continues instead, so the restored tree must not. */
int remote_end(struct lazy_daemon *d);
/* The holder, if the daemon has been killed while it said that. False: the source continues. */
bool remote_confirm_again(const struct lazy_daemon *d);
