// SPDX-License-Identifier: GPL-2.0-only
#include "refuse.h"

void net_refuse_object(struct refusing *r, const char *name)
{
	if (r->refused)
		return;
	r->refused = true;
	dump_blocker(r->dump, r->ns->member ? dump_task_of(r->ns->member) : NULL, -1,
		     "network namespace %u: it has %s%s, which cannot be saved: not implemented; %s", r->ns->id,
		     r->what, name, r->todo);
}
