/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Asynchronous write protection (Linux 6.7): the kernel removes the protection of a page at the first write, without asking
 * anybody, and the page map shows where it is gone. A new mapping, also one in the place of another, is not protected; a moved one
 * loses it; a child has none.
 */
#include <errno.h>
#include <linux/userfaultfd.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "base/bits.h"
#include "base/cleanup.h"
#include "memory/dump_memory.h"
#include "memory/target_helper.h"
#include "memory/tracking.h"
#include "parasite_blob.h"
#include "pie/wire.h"
#include "util/fds.h"
#include "util/log.h"

#ifndef UFFD_USER_MODE_ONLY
#define UFFD_USER_MODE_ONLY 1
#endif
#define WP_ASYNC (1ull << 15) /* UFFD_FEATURE_WP_ASYNC; older headers do not have it */

static int set_up(int fd)
{
	struct uffdio_api api = { .api = UFFD_API, .features = WP_ASYNC };

	return ioctl(fd, UFFDIO_API, &api) < 0 ? -errno : 0;
}

static bool probe(void)
{
	_cleanup_close_ int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | UFFD_USER_MODE_ONLY);
	_cleanup_page_scan_ struct page_scan scan = PAGE_SCAN_CLOSED;
	_cleanup_proc_ struct proc self = PROC_CLOSED;

	return fd >= 0 && !set_up(fd) && !proc_open_self(&self) && !page_scan_open(&self, &scan) && scan.has_scan;
}

struct creating {
	struct target_helper helper;
	int fd, err;
};

/* The helper is on its way out, and still has its descriptors. */
static int take_fd(pid_t helper, void *arg)
{
	struct creating *c = arg;
	_cleanup_close_ int pidfd = sys_pidfd_open(helper, 0);
	int32_t there = -1;
	int err = compel_args_read(c->helper.ctl, offsetof(struct parasite_uffd, fd), &there, sizeof(there));

	if (!err && there < 0)
		err = there;
	if (!err)
		c->fd = pidfd < 0 ? pidfd : sys_pidfd_getfd(pidfd, there);
	return err ? err : MIN_OF(c->fd, 0);
}

static void see_off(void *arg)
{
	struct creating *c = arg;

	c->err = target_helper_see_off(&c->helper, take_fd, c);
}

/* A new one, made inside the process. Negative errno, not logged. */
static int create_uffd(struct dump *dump, struct dump_task *dt)
{
	const struct parasite_uffd clean = { .fd = -ECHILD };
	struct creating c = { .helper = { .pid_ns = dump->pid_ns, .tid = dt->threads[0].id.host_tid }, .fd = -1 };
	long value = 0;
	int cured, err;

	/* We know the helper by the pid that the process sees. */
	if ((dump->pid_level && dump->pid_ns < 0) || dt->t.pid_ns)
		return -EOPNOTSUPP;
	err = compel_open(c.helper.tid, &c.helper.ctl);
	if (err)
		return err;
	err = compel_infect(c.helper.ctl, &parasite_blob, sizeof(clean));
	if (!err)
		err = compel_args_write(c.helper.ctl, 0, &clean, offsetof(struct parasite_uffd, stack));
	if (!err)
		err = compel_command_with(c.helper.ctl, PARASITE_UFFD, see_off, &c, &value);
	err = err ? err : value < 0 ? (int)value : c.err;
	cured = compel_cure(c.helper.ctl);
	if (!err && !cured)
		err = set_up(c.fd);
	if (err || cured) {
		cleanup_close(&c.fd);
		return cured ? cured : err;
	}
	return c.fd;
}

/* For what this userfaultfd has already, it changes nothing. -EBUSY: another one has it. */
static int add_range(int fd, uint64_t start, uint64_t end)
{
	struct uffdio_register reg = { .range = { start, end - start }, .mode = UFFDIO_REGISTER_MODE_WP };

	return ioctl(fd, UFFDIO_REGISTER, &reg) < 0 ? -errno : 0;
}

/*
 * Of pages that are not tracked, some may look as if they were protected, and be writable all the same: a mapping is not tracked any
 * more when another one that was is moved next to it, and merged with it, but its pages keep the mark (kernel: mremap_userfaultfd_prep).
 */
static int unmark_pages(int fd, uint64_t start, uint64_t end)
{
	struct uffdio_writeprotect wp = { .range = { start, end - start } };
	int n;

	do
		n = ioctl(fd, UFFDIO_WRITEPROTECT, &wp);
	while (n < 0 && errno == EAGAIN);
	return n < 0 ? -errno : 0;
}

static void drop_range(int fd, uint64_t start, uint64_t end)
{
	struct uffdio_range range = { start, end - start };

	if (ioctl(fd, UFFDIO_UNREGISTER, &range) < 0)
		log_warn("userfaultfd: unregister %lx-%lx: errno %d", start, end, errno);
}

static int add_new_range(int fd, uint64_t start, uint64_t end)
{
	int err = add_range(fd, start, end);

	if (err)
		return err;
	err = unmark_pages(fd, start, end);
	if (err)
		drop_range(fd, start, end);
	return err;
}

static void mark(struct task_track *t, size_t from, size_t to, enum track_area area)
{
	memset(t->areas + from, area, to - from);
}

/* Neighbours in one call, unless one of them cannot be added. */
static void add_areas(struct dump_task *dt, size_t from, size_t to, enum track_area area)
{
	struct task_track *t = dt->memory->track;
	const struct kernel_vma *v = dt->maps.v;
	int (*add)(int fd, uint64_t start, uint64_t end) = area == AREA_FRESH ? add_new_range : add_range;

	if (!add(t->uffd, v[from].start, v[to - 1].end)) {
		mark(t, from, to, area);
		return;
	}
	for (size_t i = from; to - from > 1 && i < to; i++)
		if (!add(t->uffd, v[i].start, v[i].end))
			mark(t, i, i + 1, area);
}

static bool is_protected(const struct dump_task *dt, size_t i)
{
	return dt->vma_flags.v[i].flags & BIT(VMF_UW);
}

/* Another userfaultfd may protect some of them. */
static int find(struct dump *dump, struct dump_task *dt)
{
	for (size_t i = 0, next; dt->memory->track->uffd >= 0 && i < dt->maps.n; i = next) {
		for (next = i; next < dt->maps.n && is_protected(dt, next);)
			next++;
		if (next > i)
			add_areas(dt, i, next, AREA_TRACKED);
		else
			next++;
	}
	return 0;
}

/*
 * Not private mappings of files. Where a page of such a one is dropped, the kernel leaves a marker that its successor is to be
 * protected (pte_marker): the scan reports it as a swapped page that was not written, and a program that wants a guard
 * there (MADV_GUARD_INSTALL) never gets it, but tries for ever (Linux 6.18).
 */
static bool is_new(const struct dump_task *dt, size_t i)
{
	const struct kernel_vma *v = &dt->maps.v[i];
	const bool is_file = v->ino || v->dev_major || v->dev_minor;

	return track_area_of(dt, i) == AREA_UNTRACKED && !is_protected(dt, i) && !is_file && track_is_eligible(dt, i);
}

static bool has_tracked(const struct dump_task *dt)
{
	for (size_t i = 0; i < dt->maps.n; i++)
		if (track_area_of(dt, i) == AREA_TRACKED)
			return true;
	return false;
}

static int extend(struct dump *dump, struct dump_task *dt)
{
	/* Otherwise the one that there may be could be of the memory before an exec. */
	if (!has_tracked(dt)) {
		cleanup_close(&dt->memory->track->uffd);
		dt->memory->track->uffd = create_uffd(dump, dt);
	}
	if (dt->memory->track->uffd < 0) {
		log_warn("its writes cannot be tracked: userfaultfd: %s; a dump saves all of its memory",
			 strerror(-dt->memory->track->uffd));
		return 0;
	}
	for (size_t i = 0, next; i < dt->maps.n; i = next) {
		for (next = i; next < dt->maps.n && is_new(dt, next);)
			next++;
		if (next > i)
			add_areas(dt, i, next, AREA_FRESH);
		else
			next++;
	}
	return 0;
}

const struct track_backend track_uffd = {
	.name = "asynchronous write protection",
	.written = PAGE_WRITTEN,
	.arms_by_scan = true,
	.probe = probe,
	.find = find,
	.extend = extend,
};
