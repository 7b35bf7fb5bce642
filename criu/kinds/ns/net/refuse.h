/* SPDX-License-Identifier: GPL-2.0-only */
/* Objects of a network namespace that cannot be saved. All functions run in the namespace. */
#pragma once
#include <stdbool.h>
#include "internal.h"

struct refusing {
	struct dump *dump;
	const struct ns *ns;
	const char *what, *todo;
	bool refused; /* once is enough */
};

/* refuse.c: a blocker. @name: follows @what */
void net_refuse_object(struct refusing *r, const char *name);
/* refuse_netfilter.c: lists and services beside the rules of netfilter; flow labels */
int net_refuse_netfilter(struct dump *dump, const struct ns *ns);
/* refuse_ebtables.c */
int net_refuse_ebtables(struct dump *dump, const struct ns *ns);
