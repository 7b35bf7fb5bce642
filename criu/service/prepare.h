/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once
#include "service/session.h"

/*
 * A valid request in s->request, with open directories and log. 0 or a negative errno: the reason is in
 * s->reason, and in the log file of the request if that can be opened.
 */
int session_prepare(struct session *s, unsigned int command, const char *name, const CriuOpts *rpc);
/* The same for a client whose rights are not ours: with its rights for that time. A restore assumes them itself: run/untrusted.h. */
int session_prepare_as_client(struct session *s, unsigned int command, const char *name, const CriuOpts *rpc);
void session_release(struct session *s);
