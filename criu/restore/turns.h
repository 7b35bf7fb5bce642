/* SPDX-License-Identifier: GPL-2.0-only */
/* Threads in user namespaces that do not own all of their pid namespaces: pie/restorer/turns.c */
#pragma once

struct restore;

/* In the tool, whenever something has happened: if it is the turn of a process, does what it waits for. 0 or a negative errno, logged. */
int restore_serve_turn(struct restore *r);
/* What other processes get next is not near a number of the tree any more: after each thread, and after a failure. */
void restore_put_last_pid_back(struct restore *r);
