// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/net_ns.h"
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "util/fds.h"
#include "util/proc_root.h"

#define SIOCGSKNS_ 0x894c /* <linux/sockios.h>; conflicts with libc's headers */

int net_ns_open_own(void)
{
	return open_at(proc_root(), "thread-self/ns/net", O_RDONLY, 0);
}

int net_ns_enter(int ns)
{
	return setns(ns, CLONE_NEWNET) < 0 ? -errno : 0;
}

int net_ns_of_socket(int fd)
{
	int ns = ioctl(fd, SIOCGSKNS_);

	return ns < 0 ? -errno : ns;
}

int net_ns_open_devices(void)
{
	_cleanup_close_ int fs = fsopen("sysfs", FSOPEN_CLOEXEC), mount = -1;

	if (fs < 0 || fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return -errno;
	mount = fsmount(fs, FSMOUNT_CLOEXEC, 0);
	return mount < 0 ? -errno : open_at(mount, "devices/virtual/net", O_PATH | O_DIRECTORY, 0);
}
