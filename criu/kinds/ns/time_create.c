// SPDX-License-Identifier: GPL-2.0-only
/* Creates time namespaces, whose clocks continue from their values at the dump: time_namespaces(7) */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <unistd.h>
#include "kinds/ns/time_ns.h"
#include "run/outside.h"
#include "run/restore.h"
#include "run/user_ns.h"
#include "util/fds.h"
#include "util/log.h"
#include "util/proc_root.h"

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x80
#endif

/*
 * The namespace that this process has unshared for its children. Its clocks continue as those of all others of the tree: whenever it is
 * created, what they are apart is what it was at the dump.
 */
static int set_offsets(const struct restore *r, const struct time_ns_state *state)
{
	const struct clocks *base = &state->run->base;
	int64_t mono = state->stood.monotonic - base->monotonic;
	int64_t boot = state->stood.boottime - base->boottime;
	int64_t mono_nsec = (mono % NSEC_IN_SEC + NSEC_IN_SEC) % NSEC_IN_SEC;
	int64_t boot_nsec = (boot % NSEC_IN_SEC + NSEC_IN_SEC) % NSEC_IN_SEC;
	char text[128];

	snprintf(text, sizeof(text), "monotonic %ld %ld\nboottime %ld %ld\n", (mono - mono_nsec) / NSEC_IN_SEC,
		 mono_nsec, (boot - boot_nsec) / NSEC_IN_SEC, boot_nsec);
	return restore_write_own_proc(r, "timens_offsets", text);
}

struct time_creation {
	struct restore *r;
	struct ns *ns;
	const char *step;
};

/* The namespace, which has no processes yet, has been unshared. */
static int set_and_keep(void *arg)
{
	struct time_creation *c = arg;
	int err, fd;

	c->step = "set its offsets (/proc/self/timens_offsets)";
	err = set_offsets(c->r, c->ns->data);
	if (err)
		return err;
	c->step = "open /proc/self/ns/time_for_children";
	fd = open_at(proc_root(), "self/ns/time_for_children", O_RDONLY, 0);
	if (fd < 0)
		return fd;
	c->ns->fd = move_fd_above(fd, c->r->service_base);
	if (c->ns->fd < 0)
		close(fd);
	return c->ns->fd < 0 ? c->ns->fd : 0;
}

/* In a user namespace that this process is outside of, if that owns it. */
static int create(struct time_creation *c)
{
	const struct restore *r = c->r;
	const struct ns *owner = c->ns->owner, *at = restore_enters_late(r) ? NULL : restore_user_ns(r);

	c->step = rights_may(&r->rights, RIGHT_NAMESPACES) ? "unshare(CLONE_NEWTIME)" :
							     "unshare(CLONE_NEWTIME), which needs CAP_SYS_ADMIN";
	if (!owner && at)
		log_warn("a time namespace belonged to the user namespace of criu: now to that of the tree");
	if (owner && owner != at)
		return restore_run_in(&owner, 1, CLONE_NEWTIME, set_and_keep, c);
	return unshare(CLONE_NEWTIME) < 0 ? -errno : set_and_keep(c);
}

int time_ns_create(struct restore *r, struct ns *ns, const char **ret_step)
{
	struct time_creation creation = { r, ns, *ret_step };
	int err = create(&creation);

	*ret_step = creation.step;
	return err;
}
