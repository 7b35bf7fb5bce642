/* SPDX-License-Identifier: GPL-2.0-only */
#include "kernel/pid_ns_proc.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "kernel/ns_run.h"
#include "util/fds.h"

/* Of the namespace of the calling process: fsopen(2). */
static int make(void *arg)
{
	_cleanup_close_ int fs = fsopen("proc", FSOPEN_CLOEXEC);
	int *ret_root = arg;

	if (fs < 0 || fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return -errno;
	*ret_root = fsmount(fs, FSMOUNT_CLOEXEC, 0);
	return *ret_root < 0 ? -errno : 0;
}

/* A process is in the namespace that its parent has entered. */
static int make_in_child(void *arg)
{
	int result = 0, err = ns_run_in(NULL, 0, make, arg, &result);

	return err ? err : result;
}

int pid_ns_proc_open(int ns, pid_t inner, struct proc *ret_p)
{
	_cleanup_close_ int root = -1;
	int result = 0, err = ns_run_in(&ns, 1, make_in_child, &root, &result);

	err = err ? err : result;
	if (err)
		return err;
	ret_p->dir = open_fmt(root, O_PATH | O_DIRECTORY | O_CLOEXEC, "%d", inner);
	ret_p->pid = inner;
	return ret_p->dir < 0 ? ret_p->dir : 0;
}
