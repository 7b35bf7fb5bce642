/* SPDX-License-Identifier: GPL-2.0-only */
/* Notifications to a client during a dump or restore: it replies before the run continues, and can refuse. */
#pragma once
#include <sys/types.h>
#include "run/notify.h"

struct client;
struct request;

struct notifier {
	struct notify_outlet outlet; /* for notify_add(); first */
	int sock;
	pid_t client; /* its pid, to find out whether it can reply at all */
	struct request *request; /* its replies can add to it */
};

void notifier_init(struct notifier *notifier, const struct client *client, struct request *request);
