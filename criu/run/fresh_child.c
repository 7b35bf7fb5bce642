// SPDX-License-Identifier: GPL-2.0-only
#include "run/fresh_child.h"
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "base/bits.h"
#include "kernel/proc_pid.h"
#include "pie/sched_attr.h"
#include "run/caps.h"
#include "util/log.h"

#define IOPRIO_WHO_PROCESS 1

static int read_status(const struct proc *self, struct fresh_child *child)
{
	_cleanup_proc_status_ struct proc_status status = { 0 };
	int err = proc_status_read(self, &status);

	if (err)
		return fail(err, "read /proc/self/status");
	/* execve(2) has forgotten the flags of all. main() sets this one anew, which gives it some. */
	child->signals_not_default = status.sig_ignored | status.sig_caught | BIT(SIGCHLD - 1);
	child->bounding = status.cap_bnd;
	child->ambient = status.cap_amb;
	return 0;
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
	return read_status(&self, child);
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
	child->nr_groups = getgroups(FRESH_GROUPS_MAX, child->groups);
	child->securebits = (int)caps_securebits();
	child->no_new_privs = prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0);
	return 0;
}

static int read_attributes(struct fresh_child *child)
{
	child->personality = (uint32_t)personality(0xffffffff);
	child->dumpable = prctl(PR_GET_DUMPABLE);
	child->thp_disabled = prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0);
	return 0;
}

static int read_cpus(struct fresh_child *child)
{
	uint8_t mask[1024] = { 0 };
	long len = syscall(SYS_sched_getaffinity, 0, sizeof(mask), mask), allowed = 0;

	for (long i = 0; i < len; i++)
		allowed += __builtin_popcount(mask[i]);
	child->all_cpus = allowed && allowed >= sysconf(_SC_NPROCESSORS_ONLN);
	return 0;
}

static int read_sched(struct fresh_child *child)
{
	struct kernel_sched_attr attr = { 0 };
	int mode = 0;

	/* Flags may say that children begin with others. */
	child->sched_known = !syscall(SYS_sched_getattr, 0, &attr, sizeof(attr), 0) && !attr.flags &&
			     (attr.policy == SCHED_OTHER || attr.policy == SCHED_BATCH || attr.policy == SCHED_IDLE);
	child->sched_policy = attr.policy;
	child->nice = attr.nice;
	child->ioprio = (int)syscall(SYS_ioprio_get, IOPRIO_WHO_PROCESS, 0);
	child->timer_slack_ns = (uint64_t)prctl(PR_GET_TIMERSLACK);
	child->default_mempolicy = !syscall(SYS_get_mempolicy, &mode, NULL, 0, NULL, 0) && !mode;
	return 0;
}

static int (*const readers[FRESH_PARTS])(struct fresh_child *child) = {
	[FRESH_PROC] = read_proc,   [FRESH_LIMITS] = read_limits,
	[FRESH_CREDS] = read_creds, [FRESH_ATTRIBUTES] = read_attributes,
	[FRESH_SCHED] = read_sched, [FRESH_CPUS] = read_cpus,
};

int fresh_child_need(struct fresh_child *child, enum fresh_part part)
{
	int err = child->read[part] ? 0 : readers[part](child);

	if (!err)
		child->read[part] = true;
	return err;
}
