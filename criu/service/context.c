// SPDX-License-Identifier: GPL-2.0-only
#include "service/context.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "run/caller.h"
#include "util/fds.h"
#include "util/log.h"

int context_leave_standard(void)
{
	_cleanup_close_ int null = open_at(AT_FDCWD, "/dev/null", O_RDWR, 0);

	if (null < 0)
		return fail(null, "open /dev/null");
	for (int fd = 0; fd <= STDERR_FILENO; fd++)
		if (dup2(null, fd) < 0) /* style: also for what we execute */
			return fail(-errno, "redirect descriptor %d", fd);
	return 0;
}

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
	int err = context_leave_standard();

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
