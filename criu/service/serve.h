/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once
#include "service/session.h"

/*
 * Serves the requests on one connection: one, or several if they are to be kept open. Each is waited for @timeout_ms (-1:
 * forever). Returns the exit status.
 */
int session_serve(struct session *s, int timeout_ms);
