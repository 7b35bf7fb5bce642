/* SPDX-License-Identifier: GPL-2.0-only */
/* Options of sockets of every family (SOL_SOCKET), as in images. */
#pragma once
#include "run/kind.h"
#include "sk-opts.pb-c.h"

/* Reads them from the probe's copy of the socket; options that cannot be saved become blockers. */
int sockopts_save(struct dump *dump, const struct fd_probe *probe, SkOptsEntry **ret_opts);
/* In load: are the values valid for a socket? */
int sockopts_check(const SkOptsEntry *opts);
/*
 * Buffers for @size more than the kernel itself needs, above the limit of ordinary users if permitted; never smaller
 * than before.
 */
void sockopts_widen(int fd, uint32_t sndbuf, uint32_t rcvbuf);
/* The last step in restoring a socket: timeouts, filters and others would interfere with filling it. */
int sockopts_restore(int fd, const SkOptsEntry *opts);
