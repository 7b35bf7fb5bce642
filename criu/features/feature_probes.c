// SPDX-License-Identifier: GPL-2.0-only
/* Probes of process, memory and ptrace features; those of descriptors are in feature_probes_fd.c. */
#include <errno.h>
#include <linux/userfaultfd.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/bits.h"
#include "base/cleanup.h"
#include "features/feature_probes.h"
#include "kernel/kcmp.h"
#include "kernel/maps.h"
#include "kernel/pagemap_scan.h"
#include "util/fds.h"
#include "util/proc_root.h"

#ifndef UFFD_USER_MODE_ONLY
#define UFFD_USER_MODE_ONLY 1
#endif
#define UFFD_BIT_WP_ASYNC (1ull << 15)
#define UFFD_BIT_POISON (1ull << 14)
#define UFFD_BIT_MOVE (1ull << 16)
#define PR_TIMER_RESTORE_IDS 77
#define PR_TIMER_RESTORE_IDS_GET 2
#define PT_GET_RSEQ_CONF 0x420f
#define PT_SECCOMP_GET_FILTER 0x420c
#define PT_O_SUSPEND_SECCOMP (1 << 21)
#define MADV_GUARD 102
#define ARCH_PRCTL_MAP_VDSO 0x2003

static pid_t wait_for(pid_t pid, int *ret_status)
{
	pid_t got;

	do
		got = waitpid(pid, ret_status, __WALL);
	while (got < 0 && errno == EINTR);
	return got;
}

/* Probes that would change this process run in a child, whose exit status is the result. */
static int in_child(int (*probe)(void))
{
	int status;
	pid_t pid = fork();

	if (pid < 0)
		return -errno;
	if (!pid)
		_exit(probe() == 1 ? 1 : 0);
	if (wait_for(pid, &status) < 0)
		return -errno;
	return WIFEXITED(status) ? WEXITSTATUS(status) == 1 : 0;
}

/* A child that is seized and stopped; kill it with end_child(). */
static int stopped_child(pid_t *ret_pid)
{
	int status, err = 0;
	pid_t pid = fork();

	if (pid < 0)
		return -errno;
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	if (ptrace(PTRACE_SEIZE, pid, 0, 0) < 0 || ptrace(PTRACE_INTERRUPT, pid, 0, 0) < 0)
		err = -errno;
	else if (wait_for(pid, &status) < 0)
		err = -errno;
	if (err) {
		kill(pid, SIGKILL);
		wait_for(pid, &status);
		return err;
	}
	*ret_pid = pid;
	return 0;
}

static void end_child(pid_t pid)
{
	int status;

	kill(pid, SIGKILL);
	while (wait_for(pid, &status) == pid && WIFSTOPPED(status))
		;
}

int probe_seccomp_suspend(void)
{
	pid_t pid;
	int err = stopped_child(&pid);

	if (err)
		return err;
	int works = !ptrace(PTRACE_SETOPTIONS, pid, 0, (void *)(uintptr_t)PT_O_SUSPEND_SECCOMP);
	end_child(pid);
	return works;
}

int probe_seccomp_filters(void)
{
	pid_t pid;
	int err = stopped_child(&pid);

	if (err)
		return err;
	/* It has no filter: EINVAL means that the kernel looked for one. EIO: unknown request; EACCES: denied. */
	long r = ptrace(PT_SECCOMP_GET_FILTER, pid, 0, 0);
	int works = r >= 0 || errno == EINVAL || errno == ENOENT;
	end_child(pid);
	return works;
}

int probe_rseq_conf(void)
{
	struct {
		uint64_t pointer;
		uint32_t size, signature, flags, pad;
	} conf;
	pid_t pid;
	int err = stopped_child(&pid);

	if (err)
		return err;
	int works = ptrace(PT_GET_RSEQ_CONF, pid, (void *)sizeof(conf), &conf) >= 0;
	end_child(pid);
	return works;
}

static int try_userns(void)
{
	return unshare(CLONE_NEWUSER) == 0;
}

int probe_userns(void)
{
	return in_child(try_userns);
}

/* struct clone_args up to the fields of the first version with set_tid. */
struct clone3_args {
	uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size;
};

int probe_clone3_set_tid(void)
{
	int status;
	pid_t free_pid = fork();

	if (free_pid < 0)
		return -errno;
	if (!free_pid)
		_exit(0);
	if (wait_for(free_pid, &status) < 0)
		return -errno;
	/* That pid is free now, unless it was reused in the meantime: EEXIST is an equally good result. */
	struct clone3_args args = { .exit_signal = SIGCHLD, .set_tid = (uintptr_t)&free_pid, .set_tid_size = 1 };
	pid_t pid = syscall(SYS_clone3, &args, sizeof(args));
	if (!pid)
		_exit(0);
	if (pid < 0)
		return errno == EEXIST;
	wait_for(pid, &status);
	return pid == free_pid;
}

static int page_entry(const void *page, uint64_t *ret_entry)
{
	_cleanup_proc_ struct proc p = PROC_CLOSED;
	_cleanup_page_scan_ struct page_scan pm = PAGE_SCAN_CLOSED;
	int err = proc_open(getpid(), &p);

	if (!err)
		err = page_scan_open(&p, &pm);
	return err ? err : page_scan_entries(&pm, (uintptr_t)page, 1, ret_entry);
}

static int try_soft_dirty(void)
{
	volatile char *page = mmap(NULL, PAGE_SZ, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t before, after;

	if (page == MAP_FAILED)
		return 0;
	*page = 1;
	/* Without soft-dirty the write succeeds without an effect: only the bits show it. */
	if (write_text(proc_root(), "self/clear_refs", "4") || page_entry((void *)page, &before))
		return 0;
	*page = 2;
	if (page_entry((void *)page, &after))
		return 0;
	return !(before & PM_SOFT_DIRTY) && (after & PM_SOFT_DIRTY);
}

int probe_soft_dirty(void)
{
	return in_child(try_soft_dirty);
}

int probe_pagemap_scan(void)
{
	_cleanup_proc_ struct proc p = PROC_CLOSED;
	_cleanup_page_scan_ struct page_scan pm = PAGE_SCAN_CLOSED;
	int err = proc_open(getpid(), &p);

	if (!err)
		err = page_scan_open(&p, &pm);
	return err ? err : pm.has_scan;
}

/* The features of a userfaultfd, after requesting those of @asked. */
static int uffd_features(uint64_t asked, uint64_t *ret_features)
{
	struct uffdio_api api = { .api = UFFD_API, .features = asked };
	_cleanup_close_ int fd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);

	/* Without privileges: user mode faults only. */
	if (fd < 0)
		fd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | UFFD_USER_MODE_ONLY);
	if (fd < 0 || ioctl(fd, UFFDIO_API, &api) < 0)
		return -errno;
	*ret_features = api.features;
	return 0;
}

int probe_uffd(void)
{
	uint64_t features;

	return !uffd_features(0, &features);
}

int probe_uffd_noncoop(void)
{
	uint64_t features;
	const uint64_t asked = UFFD_FEATURE_EVENT_FORK | UFFD_FEATURE_EVENT_REMAP | UFFD_FEATURE_EVENT_REMOVE |
			       UFFD_FEATURE_EVENT_UNMAP;

	return !uffd_features(asked, &features) && (features & asked) == asked;
}

int probe_uffd_poison(void)
{
	uint64_t features;

	return !uffd_features(0, &features) && (features & UFFD_BIT_POISON);
}

int probe_uffd_move(void)
{
	uint64_t features;

	return !uffd_features(0, &features) && (features & UFFD_BIT_MOVE);
}

int probe_uffd_wp_async(void)
{
	uint64_t features;

	return !uffd_features(0, &features) && (features & UFFD_BIT_WP_ASYNC);
}

/* Only on x86; the same request for each word size. EEXIST: supported, but there is one already. */
static int try_map_vdso(void)
{
#ifdef SYS_arch_prctl
	return syscall(SYS_arch_prctl, ARCH_PRCTL_MAP_VDSO, 0x10000) >= 0 || errno == EEXIST;
#else
	return 0;
#endif
}

int probe_can_map_vdso(void)
{
	return in_child(try_map_vdso);
}

int probe_kcmp(void)
{
	pid_t pid = getpid();

	return sys_kcmp(pid, pid, KCMP_WHAT_VM, 0, 0) == 0;
}

int probe_set_mm_map(void)
{
	unsigned int size = 0;

	return !prctl(PR_SET_MM, PR_SET_MM_MAP_SIZE, &size, 0, 0) && size;
}

int probe_timer_ids(void)
{
	return prctl(PR_TIMER_RESTORE_IDS, PR_TIMER_RESTORE_IDS_GET, 0, 0, 0) >= 0;
}

int probe_guard_pages(void)
{
	void *page = mmap(NULL, PAGE_SZ, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (page == MAP_FAILED)
		return -errno;
	int works = !madvise(page, PAGE_SZ, MADV_GUARD);
	munmap(page, PAGE_SZ);
	return works;
}

static int try_aio_remap(void)
{
	_cleanup_proc_ struct proc p = PROC_CLOSED;
	_cleanup_maps_ struct maps m = { 0 };
	struct timespec none = { 0 };
	unsigned long ctx = 0;

	if (syscall(SYS_io_setup, 1, &ctx) < 0 || proc_open(getpid(), &p) || maps_read(&p, &m))
		return 0;
	const struct kernel_vma *ring = maps_find(&m, ctx);
	if (!ring)
		return 0;
	size_t len = ring->end - ring->start;
	void *place = mmap(NULL, len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (place == MAP_FAILED || mremap((void *)ctx, len, len, MREMAP_FIXED | MREMAP_MAYMOVE, place) == MAP_FAILED)
		return 0;
	return syscall(SYS_io_getevents, place, 0, 0, NULL, &none) == 0;
}

int probe_aio_remap(void)
{
	return in_child(try_aio_remap);
}

int probe_map_files(void)
{
	_cleanup_proc_ struct proc p = PROC_CLOSED;
	_cleanup_maps_ struct maps m = { 0 };
	const struct kernel_vma *v;
	char name[MAP_FILES_NAME];
	int err = proc_open(getpid(), &p);

	if (!err)
		err = maps_read(&p, &m);
	if (err)
		return err;
	array_for_each(v, &m) {
		if (v->name[0] != '/')
			continue;
		map_files_name(v, name);
		_cleanup_close_ int fd = open_fmt(p.dir, O_RDONLY, "map_files/%s", name);
		return fd >= 0;
	}
	return -ENOENT;
}
