/* SPDX-License-Identifier: GPL-2.0-only */
/* One connection: its client, and the state of the request that is being served. */
#pragma once
#include <stdbool.h>
#include "request/request.h"
#include "rpc.pb-c.h"
#include "service/client.h"
#include "service/notifier.h"
#include "service/rights.h"
#include "service/service.h"

#define REASON_SIZE 1024

struct session {
	struct client client;
	const struct service_base *base; /* NULL: requests start from the defaults */
	const struct client_rights *rights; /* that requests are served with */
	const char *refusal; /* why no request of this client is served that needs rights; NULL: they are */
	bool may_end; /* the client has sent a request after which it may close the connection */
	bool own_process; /* the client has started us: descriptors that we have inherited are for its requests */
	char reason[REASON_SIZE]; /* why the request was refused; "": it was not */
	struct request request; /* of a dump or restore; initialized if has_request */
	bool has_request;
	pid_t root; /* of the tree that it has restored; 0: none */
	int status_fd; /* of the request; -1: none */
	struct notifier notifier; /* of its client, if it wants notifications */
};

/* Refuses the request for this reason. Returns @err. */
int session_refuse(struct session *s, int err, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
