// SPDX-License-Identifier: GPL-2.0-only
/* What tasks in their own user namespace have no right to restore: dump_need_right() */
#include <sys/stat.h>
#include "base/bits.h"
#include "run/dump.h"
#include "run/network.h"

void dump_need_right(struct dump *dump, const struct dump_task *task, const struct fd_probe *probe, enum right right,
		     const char *what)
{
	const struct ns *user = task->ns[NS_USER], *root = dump_task_of(dump->tree.root)->ns[NS_USER];
	struct ns *net = NULL;
	struct rights rights;

	/* In another user namespace than the root, a task has its descriptors before it enters that, and everything else after. */
	if (!probe && user && !user->own && user != root)
		rights = rights_in_user_ns(false, false);
	else if (dump->inside)
		rights = *dump->inside;
	else
		return;
	/* Of something else than a socket there is none. */
	if (probe && S_ISSOCK(probe->st.st_mode) && !dump_network_of(dump, probe, &net) && net)
		rights.owns_net_ns &= net->owner == root;
	if (!rights_may(&rights, right))
		dump_blocker(
			dump, task, probe ? probe->fd : -1,
			"%s%s%s: to restore it %s, which is not the process's own: that is not supported, close it before",
			probe ? probe->link : "", probe ? ": " : "", what, rights_text(right));
}

void dump_need_rights(struct dump *dump, const struct fd_probe *probe, uint64_t mask, const char *what)
{
	for (enum right right = 0; dump->inside && right < RIGHTS; right++)
		if (mask & BIT(right))
			dump_need_right(dump, probe->task, probe, right, what);
}
