/* SPDX-License-Identifier: GPL-2.0-only */
/* One session of a dump with a page server: transport/message.h. */
#pragma once
#include "page_server/images.h"
#include "transport/connection.h"

struct page_session_outcome {
	bool must_know; /* in: wait until the client tells whether its dump became complete, if it does */
	bool complete; /* out: it did */
	const char *unknown; /* out: why that is not known */
};

/*
 * Serves the client until it ends the session. 0: everything that it has sent is saved, under its name; otherwise a negative
 * errno, logged, and nothing remains; -EPROTO from a client that went on after the response that its pages are saved: these
 * remain. @shared: other processes may have the socket, and use it after us (--ps-socket).
 */
int page_session_serve(struct connection *connection, struct images *images, bool shared,
		       struct page_session_outcome *outcome);
