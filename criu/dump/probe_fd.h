/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once
#include "run/dump.h"

/*
 * What the kernel shows of one descriptor; @link is the caller's buffer. 1: must not be examined further, see the
 * blocker.
 */
int probe_fd(struct dump *dump, struct dump_task *dt, struct fd_probe *probe, char *link, size_t size);
/* The part of it that is read from probe->local. */
int probe_local(struct fd_probe *probe);
/* While the tree runs (criu check), a descriptor or its task may disappear at any time: that is no error. */
bool probe_is_gone(const struct dump *dump, int err);
void probe_forget(struct fd_probe *probe);
