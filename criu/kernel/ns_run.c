/* SPDX-License-Identifier: GPL-2.0-only */
#include "kernel/ns_run.h"
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include "base/bits.h"
#include "base/cleanup.h"
#include "util/fds.h"

#define NS_GET_NSTYPE _IO(0xb7, 0x3)

static const struct {
	int type;
	const char *name;
} returnable[] = { { CLONE_NEWNET, "net" },
		   { CLONE_NEWIPC, "ipc" },
		   { CLONE_NEWUTS, "uts" },
		   { CLONE_NEWCGROUP, "cgroup" } };

int ns_run_in(int ns, int (*fn)(void *arg), void *arg, int *ret_result)
{
	int type = ioctl(ns, NS_GET_NSTYPE);
	const char *name = NULL;
	char path[64];

	if (type < 0)
		return -errno;
	for (size_t i = 0; i < ARRAY_SIZE(returnable); i++)
		if (returnable[i].type == type)
			name = returnable[i].name;
	if (!name)
		return -EINVAL;
	snprintf(path, sizeof(path), "/proc/thread-self/ns/%s", name);
	_cleanup_close_ int own = open_at(AT_FDCWD, path, O_RDONLY, 0);
	if (own < 0)
		return own;
	if (setns(ns, type) < 0)
		return -errno;
	*ret_result = fn(arg);
	return setns(own, type) < 0 ? -ENOTRECOVERABLE : 0;
}
