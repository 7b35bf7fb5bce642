// SPDX-License-Identifier: GPL-2.0-only
#include "service/context.h"
#include <errno.h>
#include <linux/close_range.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "run/background.h"
#include "run/caller.h"
#include "util/fds.h"
#include "util/log.h"

/* The user may kill the process, and would get its memory, which was the service's. */
static int leave_no_core(void)
{
	struct rlimit core;

	if (getrlimit(RLIMIT_CORE, &core) < 0 || setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, core.rlim_max }) < 0)
		return fail(-errno, "limit core files");
	return 0;
}

int context_leave(void)
{
	int err = background_leave_standard();

	if (err)
		return err;
	log_to_fd(STDERR_FILENO);
	err = caller_lower_priorities();
	if (!err)
		err = caller_leave_keyring();
	if (!err)
		err = leave_no_core();
	if (err)
		return err;
	if (sys_close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC) < 0)
		return fail(-errno, "close_range");
	umask(022);
	if (clearenv() || setenv("PATH", "/usr/local/bin:/usr/bin:/bin", 1))
		return fail(-ENOMEM, "environment");
	return chdir("/") < 0 ? fail(-errno, "chdir to /") : 0;
}
