/* SPDX-License-Identifier: GPL-2.0-only */
/* Options that sockets of every family have (SOL_SOCKET), as images hold them. */
#pragma once
#include "run/kind.h"
#include "sk-opts.pb-c.h"

/* Reads them from the copy of the probe; what cannot be kept becomes a blocker. */
int sockopts_save(struct dump *dump, const struct fd_probe *probe, SkOptsEntry **ret_opts);
/* In load: are these values that a socket can have? */
int sockopts_check(const SkOptsEntry *opts);
/* Room for @size more than the kernel needs itself, above the limit of ordinary users where we may; never less than it is. */
void sockopts_widen(int fd, uint32_t sndbuf, uint32_t rcvbuf);
/* Last of all that is done to a socket: timeouts, filters and the rest would be in the way of filling it. */
int sockopts_restore(int fd, const SkOptsEntry *opts);
