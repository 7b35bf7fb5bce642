// SPDX-License-Identifier: GPL-2.0-only
#include "run/caller.h"
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "util/fds.h"
#include "util/log.h"
#include "util/proc_root.h"

#define IOPRIO_PROCESS 1
#define IOPRIO_CLASS_SHIFT 13
#define IOPRIO_REALTIME 1
#define JOIN_SESSION_KEYRING 1

int caller_lower_priorities(void)
{
	int policy = sched_getscheduler(0) & ~SCHED_RESET_ON_FORK, adj = 0;
	char text[16] = "";
	ssize_t len;
	_cleanup_close_ int fd = open_at(proc_root(), "self/oom_score_adj", O_RDWR, 0);

	if (policy != SCHED_OTHER && policy != SCHED_BATCH && policy != SCHED_IDLE &&
	    sched_setscheduler(0, SCHED_OTHER, &(struct sched_param){ 0 }) < 0)
		return fail(-errno, "reset the scheduling policy");
	if (getpriority(PRIO_PROCESS, 0) < 0 && setpriority(PRIO_PROCESS, 0, 0) < 0)
		return fail(-errno, "reset the nice value");
	if (syscall(SYS_ioprio_get, IOPRIO_PROCESS, 0) >> IOPRIO_CLASS_SHIFT == IOPRIO_REALTIME &&
	    syscall(SYS_ioprio_set, IOPRIO_PROCESS, 0, 0) < 0)
		return fail(-errno, "reset the I/O priority");
	len = fd < 0 ? fd : read_full(fd, text, sizeof(text) - 1);
	if (len < 0 || sscanf(text, "%d", &adj) != 1)
		return fail(len < 0 ? (int)len : -EIO, "read /proc/self/oom_score_adj");
	/* Writing it with CAP_SYS_RESOURCE also sets the minimum. */
	return adj < 0 && pwrite(fd, "0", 1, 0) != 1 ? fail(-errno, "set oom_score_adj to 0") : 0;
}

int caller_leave_keyring(void)
{
	if (syscall(SYS_keyctl, JOIN_SESSION_KEYRING, NULL) < 0 && errno != ENOSYS)
		return fail(-errno, "create a session keyring");
	return 0;
}
