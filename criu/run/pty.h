/* SPDX-License-Identifier: GPL-2.0-only */
/* Pseudo terminals under a given index: for terminals, and for mounts of one (/dev/console of a container). pts(4) */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct restore;

/*
 * A new master by the device @ptmx (any descriptor of it); @exactly: with this index, otherwise with any free one. -EBUSY:
 * it is in use; -ENODEV: not the device.
 */
int pty_open_master(int ptmx, uint32_t index, bool exactly);

/*
 * One that has to exist before terminals are restored, as it is mounted. @devpts: the root directory of its file system. Kept
 * until it is taken, or the restore ends. 0 or a negative errno.
 */
int restore_make_pty(struct restore *r, int devpts, uint32_t index);
/* The master. -ENOENT: none was made. */
int restore_take_pty(struct restore *r, uint32_t index);
/* At the end. */
void restore_close_ptys(struct restore *r);
