// SPDX-License-Identifier: GPL-2.0-only
/* Probes of descriptors, sockets, mounts and namespaces. */
#include <errno.h>
#include <linux/if_tun.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>

#include "base/bits.h"
#include "base/cleanup.h"
#include "kernel/fdinfo.h"
#include "features/feature_probes.h"
#include "kernel/kcmp.h"
#include "util/fds.h"
#include "util/proc_root.h"

#define IOC_SK_NS 0x894c /* SIOCGSKNS */
#define IOC_UNIX_FILE 0x89e0 /* SIOCUNIXFILE */
#define IOC_TFD_TICKS _IOW('T', 0, uint64_t)
#define NR_MEMFD_SECRET 447
#define NR_OPENAT2 437
#define NR_MOVE_MOUNT 429
#define MOVE_MOUNT_GROUP 0x100 /* MOVE_MOUNT_SET_GROUP */
#define IPV6_FREEBIND_OPT 78

/* Reads fdinfo of one of our own descriptors. */
static int own_fdinfo(int fd, struct fdinfo *ret)
{
	_cleanup_proc_ struct proc p = PROC_CLOSED;
	int err = proc_open(getpid(), &p);

	return err ? err : fdinfo_read(&p, fd, ret);
}

static int own_ns(enum proc_ns ns)
{
	_cleanup_proc_ struct proc p = PROC_CLOSED;
	uint32_t ino;
	int err = proc_open(getpid(), &p);

	return err ? err : !proc_ns_ino(&p, ns, &ino);
}

int probe_mnt_id(void)
{
	_cleanup_fdinfo_ struct fdinfo info = { 0 };
	_cleanup_close_ int fd = open_at(AT_FDCWD, "/", O_PATH, 0);
	int err = fd < 0 ? fd : own_fdinfo(fd, &info);

	return err ? err : info.mnt_id >= 0;
}

int probe_timerfd(void)
{
	_cleanup_fdinfo_ struct fdinfo info = { 0 };
	_cleanup_close_ int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);

	if (fd < 0)
		return 0;
	int err = own_fdinfo(fd, &info);
	return err ? err : fdinfo_find(&info, FDINFO_TIMERFD) != NULL;
}

int probe_timerfd_ticks(void)
{
	_cleanup_close_ int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	uint64_t ticks = 1;

	return fd >= 0 && !ioctl(fd, IOC_TFD_TICKS, &ticks);
}

int probe_tun(void)
{
	_cleanup_close_ int fd = open_at(AT_FDCWD, "/dev/net/tun", O_RDWR, 0);
	unsigned int features;

	return fd >= 0 && !ioctl(fd, TUNGETFEATURES, &features);
}

int probe_fdinfo_lock(void)
{
	_cleanup_fdinfo_ struct fdinfo info = { 0 };
	_cleanup_close_ int fd = memfd_create("probe", MFD_CLOEXEC);

	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0)
		return -errno;
	int err = own_fdinfo(fd, &info);
	return err ? err : fdinfo_find(&info, FDINFO_LOCK) != NULL;
}

int probe_loginuid(void)
{
	_cleanup_proc_ struct proc p = PROC_CLOSED;
	uint32_t uid;
	int err = proc_open(getpid(), &p);

	return err ? err : !proc_loginuid(&p, &uid);
}

int probe_cgroupns(void)
{
	return own_ns(PROC_NS_CGROUP);
}

int probe_timens(void)
{
	_cleanup_proc_ struct proc p = PROC_CLOSED;
	struct proc_timens offsets;
	int err = proc_open(getpid(), &p);

	return err ? err : own_ns(PROC_NS_TIME) == 1 && !proc_timens_read(&p, &offsets);
}

int probe_cgroup2(void)
{
	_cleanup_buf_ struct buf b = { 0 };
	int err = read_file(proc_root(), "filesystems", &b);

	return err ? err : strstr(b.data, "\tcgroup2\n") != NULL;
}

int probe_sk_ns(void)
{
	_cleanup_close_ int sk = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (sk < 0)
		return -errno;
	_cleanup_close_ int ns = ioctl(sk, IOC_SK_NS);
	return ns >= 0;
}

int probe_sk_unix_file(void)
{
	_cleanup_close_ int sk = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (sk < 0)
		return -errno;
	/* It is not bound: ENOENT means that the ioctl is supported. */
	_cleanup_close_ int file = ioctl(sk, IOC_UNIX_FILE);
	return file >= 0 || errno == ENOENT;
}

int probe_pidfd_getfd(void)
{
	_cleanup_close_ int pidfd = sys_pidfd_open(getpid(), 0);
	if (pidfd < 0)
		return 0;
	_cleanup_close_ int copy = sys_pidfd_getfd(pidfd, pidfd);
	return copy >= 0;
}

int probe_kcmp_epoll(void)
{
	_cleanup_close_ int ep = epoll_create1(EPOLL_CLOEXEC), ev = eventfd(0, EFD_CLOEXEC);
	struct epoll_event e = { .events = EPOLLIN };
	pid_t pid = getpid();

	if (ep < 0 || ev < 0 || epoll_ctl(ep, EPOLL_CTL_ADD, ev, &e) < 0)
		return -errno;
	return sys_kcmp_epoll_tfd(pid, ev, ep, ev, 0) == 0;
}

int probe_close_range(void)
{
	return !sys_close_range(~0u, ~0u, 0);
}

int probe_memfd_secret(void)
{
	_cleanup_close_ int fd = syscall(NR_MEMFD_SECRET, O_CLOEXEC);

	return fd >= 0;
}

int probe_openat2(void)
{
	struct {
		uint64_t flags, mode, resolve;
	} how = { .flags = O_PATH | O_CLOEXEC };
	_cleanup_close_ int fd = syscall(NR_OPENAT2, AT_FDCWD, "/", &how, sizeof(how));

	return fd >= 0;
}

int probe_move_mount_set_group(void)
{
	/* Two paths that are not mounts: EINVAL if the flag is unknown to the kernel, ENOENT if it is known. */
	long r = syscall(NR_MOVE_MOUNT, -1, "", -1, "", MOVE_MOUNT_GROUP);

	return r < 0 && errno != EINVAL && errno != ENOSYS && errno != EPERM;
}

int probe_ipv6_freebind(void)
{
	_cleanup_close_ int sk = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int on = 1;

	return sk >= 0 && !setsockopt(sk, IPPROTO_IPV6, IPV6_FREEBIND_OPT, &on, sizeof(on));
}

int probe_memfd_hugetlb(void)
{
	_cleanup_close_ int fd = memfd_create("probe", MFD_CLOEXEC | MFD_HUGETLB);

	return fd >= 0;
}

int probe_ns_pid(void)
{
	_cleanup_proc_ struct proc p = PROC_CLOSED;
	_cleanup_proc_status_ struct proc_status status = { 0 };
	int err = proc_open(getpid(), &p) ?: proc_status_read(&p, &status);

	return err ? err : status.levels > 0;
}
