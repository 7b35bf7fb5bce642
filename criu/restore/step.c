/* SPDX-License-Identifier: GPL-2.0-only */
/* Steps with notifications: action scripts, and other listeners. */
#include "restore/restore.h"
#include "run/limits.h"
#include "run/notify.h"
#include "run/restore.h"
#include "run/untrusted.h"

/* With the limits and credentials of the user who started us. */
int restore_script(struct restore *r, const char *action, pid_t pid)
{
	int err, resumed;

	if (!notify_wanted(r->opts))
		return 0;
	err = untrusted_pause(r);
	if (err)
		return err;
	limits_restore(r->tool.own_limits);
	err = notify_step(r->opts, action, pid);
	limits_raise(r->tool.own_limits);
	if (!err)
		err = restore_make_room_for_fds(r);
	resumed = untrusted_resume(r);
	return err ? err : resumed;
}
