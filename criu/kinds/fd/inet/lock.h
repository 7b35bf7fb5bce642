/* SPDX-License-Identifier: GPL-2.0-only */
/* Blocks the network for the connections of the tree, from before they are read until they are restored. */
#pragma once
#include "kinds/fd/inet/data.h"

/* Dump: announces that the connections of all namespaces will be locked. */
int inet_lock_announce(struct dump *dump);
/*
 * In each namespace: a table that vanishes with us. Before the images are committed: one that remains, and is removed if the dump
 * fails.
 */
int inet_lock_dump(struct dump *dump, struct inet_dump *data);
int inet_lock_persist(struct dump *dump, struct inet_dump *data);
void inet_lock_undo(struct inet_dump *data);
void inet_lock_release(struct inet_dump *data);
/* Restore: a table of our own; the one that the dump left is removed at the end. */
int inet_lock_restore(struct restore *r, struct inet_restore *data);
void inet_unlock(struct restore *r, struct inet_restore *data);
void inet_lock_remove_own(struct restore *r, struct inet_restore *data);
