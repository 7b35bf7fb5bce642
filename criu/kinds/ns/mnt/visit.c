// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <sched.h>
#include "kinds/ns/mnt/restore.h"
#include "util/log.h"

int mount_visit_ns(struct mount_visit *visit, const struct ns *ns)
{
	if (visit->at == ns)
		return 0;
	if (setns(ns->fd, CLONE_NEWNS) < 0)
		return fail(-errno, "enter the mount namespace %u", ns->id);
	visit->at = ns;
	return 0;
}
