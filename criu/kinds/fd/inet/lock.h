/* SPDX-License-Identifier: GPL-2.0-only */
/* The network stands still for the connections of the tree, from before they are read until they live again. */
#pragma once
#include "kinds/fd/inet/internal.h"

/* Dump: a table that dies with us. Before the images are committed: one that stays. */
int inet_lock_dump(struct dump *dump, struct inet_dump *data);
bool inet_tree_ends(const struct dump *dump);
int inet_save_commit(struct dump *dump);
void inet_saved(struct dump *dump);
void inet_save_undo(struct dump *dump);
/* Restore: a table of our own; whatever the dump left is taken away at the end. */
int inet_before_fork(struct restore *r);
void inet_unlock(struct restore *r);
void inet_failed(struct restore *r);

/* open.c */
int inet_open(struct restore *r, struct file *file, const void *state);
int inet_finish(struct restore *r, struct file *file, const void *state, int fd);
int inet_ready(struct restore *r);
void inet_committed(struct restore *r);
