/* SPDX-License-Identifier: GPL-2.0-only */
/* Notifications to a client during a dump or restore: it replies before the run continues, and can refuse. */
#pragma once
#include "run/notify.h"

struct notifier {
	struct notify_outlet outlet; /* for notify_add(); first */
	int sock;
};

void notifier_init(struct notifier *notifier, int sock);
