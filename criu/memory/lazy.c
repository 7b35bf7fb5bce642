// SPDX-License-Identifier: GPL-2.0-only
#include "memory/lazy.h"
#include "memory/lazy_rule.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "pie/vma.h"
#include "util/fds.h"
#include "util/log.h"

#ifndef USERFAULTFD_IOC_NEW /* Linux 6.1 */
#define USERFAULTFD_IOC_NEW _IO(0xAA, 0x00)
#endif
#ifndef UFFD_FEATURE_POISON /* Linux 6.6 */
#define UFFD_FEATURE_POISON (1 << 14)
#endif

#define EVENTS \
	(UFFD_FEATURE_EVENT_FORK | UFFD_FEATURE_EVENT_REMAP | UFFD_FEATURE_EVENT_REMOVE | UFFD_FEATURE_EVENT_UNMAP)

/* With the device no capability is needed for faults in the kernel. */
static int new_uffd(int device)
{
	int fd = device >= 0 ? ioctl(device, USERFAULTFD_IOC_NEW, O_CLOEXEC | O_NONBLOCK) : -1;

	if (fd < 0)
		fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	return fd < 0 ? -errno : fd;
}

int memory_lazy_probe(uint64_t *ret_features)
{
	struct uffdio_api all = { .api = UFFD_API };
	int fd = new_uffd(-1), err;

	if (fd < 0)
		return fail(fd, "--lazy-pages: userfaultfd");
	err = ioctl(fd, UFFDIO_API, &all) < 0 ? -errno : 0;
	close(fd);
	if (err)
		return fail(err, "--lazy-pages: userfaultfd");
	if ((all.features & EVENTS) != EVENTS)
		return fail(-EOPNOTSUPP,
			    "--lazy-pages: the userfaultfd of this kernel does not report fork, mremap and munmap");
	if (!(all.features & UFFD_FEATURE_POISON))
		return fail(-EOPNOTSUPP, "--lazy-pages: this kernel cannot make a page inaccessible that is lost "
					 "(UFFDIO_POISON, Linux 6.6): it would be read as zeros");
	*ret_features = EVENTS | UFFD_FEATURE_POISON;
	return 0;
}

/* Other daemons take only what these images themselves mark as lazy: nobody would supply the rest. */
static bool is_lazy(const struct restore *r, const struct pagemap_run *run)
{
	return run->flags & PAGEMAP_LAZY && (r->lazy.inherits || !run->source);
}

/* The mapping at @addr, which is in one. */
static const VmaEntry *vma_at(const MmEntry *mm, uint64_t addr)
{
	size_t low = 0, high = mm->n_vmas;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (mm->vmas[middle]->start <= addr)
			low = middle + 1;
		else
			high = middle;
	}
	while (low && (mm->vmas[low - 1]->status & VMA_GUARD))
		low--;
	return low ? mm->vmas[low - 1] : NULL;
}

static bool has_lazy_pages(const struct restore *r, const struct restore_task *rt, const struct pagemap *map)
{
	for (size_t i = 0; i < map->nr_runs; i++) {
		uint64_t at = map->runs[i].vaddr, end = at + map->runs[i].nr_pages * PAGE_SZ;

		while (is_lazy(r, &map->runs[i]) && at < end) {
			const VmaEntry *v = vma_at(rt->mm, at);

			if (!v || memory_vma_may_be_lazy(v))
				return v;
			at = v->end;
		}
	}
	return false;
}

static bool all_present(const struct pagemap *map)
{
	for (size_t i = 0; i < map->nr_runs; i++)
		if (!(map->runs[i].flags & PAGEMAP_PRESENT))
			return false;
	return true;
}

static int cmp_page(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static int list_stacks(struct restore *r, const struct restore_task *rt)
{
	struct restore_process *p = &r->process;
	struct restore_task *user;
	size_t n = 0;

	restore_for_each_task(user, r)
		if (user->mm_of == rt)
			n += user->nr_threads;
	p->stack_pages = calloc(2 * n + 1, sizeof(*p->stack_pages));
	if (!p->stack_pages)
		return fail(-ENOMEM, "stacks");
	restore_for_each_task(user, r)
		for (size_t i = 0; user->mm_of == rt && i < user->nr_threads; i++) {
			const uint64_t sp = compel_stack_pointer(&user->threads[i].cpu.regs);
			const uint64_t below = sp - MIN_OF(sp, (uint64_t)LAZY_STACK_BELOW);

			p->stack_pages[p->nr_stack_pages++] = ROUND_DOWN(sp, PAGE_SZ);
			p->stack_pages[p->nr_stack_pages++] = ROUND_DOWN(below, PAGE_SZ);
		}
	qsort(p->stack_pages, p->nr_stack_pages, sizeof(*p->stack_pages), cmp_page);
	return 0;
}

static uint64_t next_stack(const struct restore_process *p, uint64_t at, uint64_t end)
{
	size_t low = 0, high = p->nr_stack_pages;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (p->stack_pages[middle] < at)
			low = middle + 1;
		else
			high = middle;
	}
	return low < p->nr_stack_pages ? MIN_OF(p->stack_pages[low], end) : end;
}

/* It takes two messages, which no other task may separate. */
static int send_uffd(struct restore *r, int32_t pid, int uffd)
{
	_Atomic uint32_t *turn = &r->shared->birth->lazy_turn;
	int err;

	while (atomic_exchange(turn, 1))
		sched_yield();
	err = send(r->lazy.sock, &pid, sizeof(pid), MSG_NOSIGNAL) == sizeof(pid) ? 0 : -errno;
	if (!err && uffd >= 0)
		err = send_fds(r->lazy.sock, &uffd, 1, "", 1);
	atomic_store(turn, 0);
	return err ? fail(err, "the daemon that supplies lazy pages has ended") : 0;
}

int memory_lazy_begin(struct restore *r, struct restore_task *rt, const struct pagemap *map)
{
	struct uffdio_api api = { .api = UFFD_API, .features = r->lazy.features };
	int fd, err;

	if (r->lazy.sock < 0)
		return 0;
	if (!has_lazy_pages(r, rt, map))
		return send_uffd(r, -rt->t.pid, -1);
	fd = new_uffd(r->lazy.device);
	err = fd < 0 ? fd : ioctl(fd, UFFDIO_API, &api) < 0 ? -errno : 0;
	if (err == -EPERM && all_present(map)) {
		if (fd >= 0)
			close(fd);
		log_warn(
			"all of its memory is loaded now: lazy pages need CAP_SYS_PTRACE in the initial user namespace");
		return send_uffd(r, -rt->t.pid, -1);
	}
	if (err)
		return fail(err, "userfaultfd");
	fd = move_fd_above(fd, r->service_base);
	if (fd < 0)
		return fail(fd, "userfaultfd");
	r->process.uffd = fd;
	err = list_stacks(r, rt);
	return err ? err : send_uffd(r, rt->t.pid, fd);
}

uint64_t memory_lazy_skip(const struct restore *r, const struct pagemap_run *run, uint64_t at, uint64_t end,
			  uint64_t *ret_stop)
{
	*ret_stop = end;
	if (r->process.uffd < 0 || !is_lazy(r, run))
		return at;
	while (at < end) {
		const VmaEntry *v = vma_at(r->process.task->mm, at);
		uint64_t vma_end = v ? MIN_OF(end, v->end) : end, stack;

		if (!v || !(run->flags & PAGEMAP_PRESENT ? memory_vma_is_lazy(v) : memory_vma_may_be_lazy(v))) {
			*ret_stop = vma_end;
			return at;
		}
		stack = run->flags & PAGEMAP_PRESENT ? next_stack(&r->process, at, vma_end) : vma_end;
		if (stack < vma_end) {
			*ret_stop = stack + PAGE_SZ;
			return stack;
		}
		at = vma_end;
	}
	return end;
}

static bool leaves_out(const struct pagemap_run *run, const struct wire_vma *v)
{
	return run->flags & PAGEMAP_LAZY && run->vaddr + run->nr_pages * PAGE_SZ > v->start &&
	       !(run->flags & PAGEMAP_PRESENT && v->madv & BIT(MADV_WIPEONFORK));
}

void memory_lazy_mark(const struct pagemap *map, struct wire_task *wire)
{
	struct wire_vma *v = (struct wire_vma *)(uintptr_t)wire->vmas, *end = v + wire->nr_vmas;
	size_t first = 0;

	for (; v < end; v++) {
		bool any = false;

		while (first < map->nr_runs && map->runs[first].vaddr + map->runs[first].nr_pages * PAGE_SZ <= v->start)
			first++;
		for (size_t i = first; !any && i < map->nr_runs && map->runs[i].vaddr < v->end; i++)
			any = leaves_out(&map->runs[i], v);
		v->lazy = v->lazy && any;
	}
}
