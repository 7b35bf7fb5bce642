/* SPDX-License-Identifier: GPL-2.0-only */
/* The network stands still for the connections of the tree, from before they are read until they live again. */
#pragma once
#include "kinds/fd/inet/data.h"

/* Dump: a table that dies with us. Before the images are committed: one that stays; taken away again if the dump fails. */
int inet_lock_dump(struct dump *dump, struct inet_dump *data);
int inet_lock_stays(struct dump *dump, struct inet_dump *data);
void inet_lock_undo(struct inet_dump *data);
/* The dump is over; @goes_on: the tree is not. */
void inet_lock_release(struct dump *dump, struct inet_dump *data, bool goes_on);
/* Restore: a table of our own; whatever the dump left is taken away at the end. */
int inet_lock_restore(struct restore *r, struct inet_restore *data);
void inet_unlock(struct restore *r, struct inet_restore *data);
void inet_lock_remove_own(struct inet_restore *data);
