// SPDX-License-Identifier: GPL-2.0-only
#include "run/fresh_child.h"
#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "base/bits.h"
#include "kernel/proc_pid.h"
#include "run/caps.h"
#include "util/log.h"

static uint64_t read_actions(const struct proc *self)
{
	_cleanup_proc_status_ struct proc_status status = { 0 };

	if (proc_status_read(self, &status))
		return UINT64_MAX;
	/* execve(2) has forgotten the flags of all. main() sets this one anew, which gives it some. */
	return status.sig_ignored | status.sig_caught | BIT(SIGCHLD - 1);
}

static int read_proc(struct fresh_child *child)
{
	_cleanup_proc_ struct proc self = PROC_CLOSED;
	int err = proc_open_self(&self);

	if (err)
		return fail(err, "open /proc/self");
	child->has_loginuid = !proc_loginuid(&self, &child->loginuid);
	child->has_filter = !proc_coredump_filter(&self, &child->coredump_filter);
	child->has_oom = !proc_oom_score_adj(&self, &child->oom_score_adj);
	child->signals_not_default = read_actions(&self);
	return 0;
}

static int read_limits(struct fresh_child *child)
{
	for (int nr = 0; nr < PARASITE_NR_RLIMITS; nr++)
		if (syscall(SYS_prlimit64, 0, nr, NULL, &child->limits[nr]))
			return fail(-errno, "our own resource limit %d", nr);
	return 0;
}

static int read_creds(struct fresh_child *child)
{
	uint32_t *uid = child->uid, *gid = child->gid;

	if (getresuid(&uid[0], &uid[1], &uid[2]) || getresgid(&gid[0], &gid[1], &gid[2]))
		return fail(-errno, "our own ids");
	child->bounding = caps_bounding();
	child->securebits = (int)caps_securebits();
	child->no_new_privs = prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0);
	return 0;
}

static int (*const readers[FRESH_PARTS])(struct fresh_child *child) = {
	[FRESH_PROC] = read_proc,
	[FRESH_LIMITS] = read_limits,
	[FRESH_CREDS] = read_creds,
};

int fresh_child_need(struct fresh_child *child, enum fresh_part part)
{
	int err = child->read[part] ? 0 : readers[part](child);

	if (!err)
		child->read[part] = true;
	return err;
}
