/* SPDX-License-Identifier: GPL-2.0-only */
/* Threads in user namespaces that do not own all of their pid namespaces: pie/restorer/turns.c */
#pragma once

struct restore;

/* In the tool, whenever something has happened: if it is the turn of a process, does what it waits for. 0 or a negative errno, logged. */
int restore_serve_turn(struct restore *r);
