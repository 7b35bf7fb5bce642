/* SPDX-License-Identifier: GPL-2.0-only */
/* In a task: build the region that the restorer runs in, fill in what it has to do, and jump there. */
#include <compel/jump.h>
#include <errno.h>
#include <linux/rseq.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/rseq.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "kinds/kinds.h"
#include "memory/aio.h"
#include "memory/memory.h"
#include "memory/premap.h"
#include "memory/restore_memory.h"
#include "memory/vdso.h"
#include "restore/restore.h"
#include "restorer_blob.h"
#include "run/restore.h"
#include "util/log.h"

#define STACK_SIZE (16ul << 10)
#define STAGE_SIZE (16ul << 20)
#define WORTH_A_THREAD (32ul << 20)
/* Timers, signals, seccomp filters, groups: what core-*.img holds, which is small. */
#define SLACK (8ul << 20)

/* An upper bound: untouched pages of the region cost nothing. */
static uint64_t region_size(const struct restore *r, const struct restore_task *rt)
{
	uint64_t size = ROUND_UP(restorer_blob.size, PAGE_SZ) + SLACK;

	size += rt->mm->n_vmas * (sizeof(struct wire_vma) + 256);
	size += rt->nr_threads * (sizeof(struct wire_thread) + STACK_SIZE + (16ul << 10));
	size += (rt->nr_runs + (r->premap ? r->premap->more_runs : 0) + 1) * 2 * sizeof(struct wire_io);
	return ROUND_UP(size, PAGE_SZ) + ROUND_UP(r->shared->size, PAGE_SZ);
}

/* All that a thread needs to exist. */
static int place_threads(struct restore_task *rt, struct wire_task *wire)
{
	struct wire_thread *threads = wire_alloc(wire, rt->nr_threads * sizeof(*threads));

	if (!threads)
		return fail(-ENOMEM, "threads");
	wire->threads = (uintptr_t)threads;
	wire->nr_threads = rt->nr_threads;
	for (size_t i = 0; i < rt->nr_threads; i++) {
		char *stack = wire_alloc(wire, STACK_SIZE);

		if (!stack)
			return fail(-ENOMEM, "threads");
		threads[i].task = (uintptr_t)wire;
		threads[i].tid = rt->threads[i].id.tid;
		threads[i].index = i;
		threads[i].stack = (uintptr_t)stack;
		threads[i].stack_size = STACK_SIZE;
	}
	return 0;
}

static int map_region(struct restore *r, struct restore_task *rt, struct holes *holes, struct wire_task **ret_wire)
{
	uint64_t len = region_size(r, rt), at = holes_take(holes, len, PAGE_SZ);
	struct wire_task *wire;
	char *p;

	if (!at)
		return fail(-ENOMEM, "no %lu bytes of address space are free in both programs", len);
	p = mmap((void *)(uintptr_t)at, len, PROT_READ | PROT_WRITE | PROT_EXEC,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
	if (p == MAP_FAILED)
		return fail(-errno, "room for the restorer");
	memcpy(p, restorer_blob.bytes, restorer_blob.file_size);
	wire = (struct wire_task *)(p + ROUND_UP(restorer_blob.size, PAGE_SZ));
	wire->region = at;
	wire->region_len = len;
	wire->alloc_next = (uintptr_t)(wire + 1);
	wire->alloc_end = at + len - ROUND_UP(r->shared->size, PAGE_SZ);
	/* The tool finds the region again by this, to take it out in the end. */
	r->shared->tasks[rt->t.index].region = at;
	r->shared->tasks[rt->t.index].region_len = len;
	r->shared->tasks[rt->t.index].wire = (uintptr_t)wire;
	wire->pid = rt->t.pid;
	wire->log_fd = log_fd();
	wire->log_level = log_level();
	*ret_wire = wire;
	return place_threads(rt, wire);
}

/* The memory shared with the tool moves into the region, so that all of it goes at once in the end. */
static int move_shared(struct restore *r, struct wire_task *wire)
{
	char *at = (char *)(uintptr_t)wire->alloc_end;
	size_t len = ROUND_UP(r->shared->size, PAGE_SZ);
	struct shared *shared = mremap(r->shared, len, len, MREMAP_MAYMOVE | MREMAP_FIXED, at);

	if (shared == MAP_FAILED)
		return fail(-errno, "move shared memory");
	/* shared->tasks and ->files point to where it was before: they are the tool's. */
	r->shared = shared;
	wire->ready_count = (uintptr_t)&shared->reached[STAGE_READY];
	wire->ready_expected = (uintptr_t)&shared->expected[STAGE_READY];
	wire->event = (uintptr_t)&shared->event;
	wire->shared_failed = (uintptr_t)&shared->failed;
	wire->committed = (uintptr_t)&shared->committed;
	wire->words = (uintptr_t)&shared->words;
	return 0;
}

static int fill_threads(struct restore *r, struct restore_task *rt, struct wire_task *wire)
{
	struct wire_thread *threads = (struct wire_thread *)(uintptr_t)wire->threads;

	for (size_t i = 0; i < rt->nr_threads; i++) {
		struct wire_thread *th = &threads[i];
		char *frame = wire_alloc(wire, compel_sigframe_size(&rt->threads[i].cpu) + 64);

		if (!frame)
			return fail(-ENOMEM, "threads");
		th->fs_base = rt->threads[i].cpu.regs.fs_base;
		th->gs_base = rt->threads[i].cpu.regs.gs_base;
		for (const struct task_kind *const *kind = task_kinds; *kind; kind++) {
			int err = (*kind)->hand_over_thread ? (*kind)->hand_over_thread(r, rt, &rt->threads[i], th) : 0;

			if (err)
				return err;
		}
		th->sigframe = compel_sigframe_build(
			&rt->threads[i].cpu,
			&(struct compel_altstack){ th->altstack_sp, th->altstack_size, th->altstack_flags }, frame);
	}
	return 0;
}

static int cmp_range(const void *a, const void *b)
{
	const struct wire_range *x = a, *y = b;

	return (x->start > y->start) - (x->start < y->start);
}

static int fill_spares(struct restore *r, struct restore_task *rt, struct wire_task *wire)
{
	size_t room = rt->mm->n_vmas + 16, n = 0;
	struct wire_range *ranges = wire_alloc(wire, room * sizeof(*ranges));

	if (!ranges)
		return fail(-ENOMEM, "ranges to keep");
	ranges[n++] = (struct wire_range){ wire->region, wire->region + wire->region_len };
	n += vdso_spared(wire, ranges + n, room - n);
	n += premap_spares(r->premap, ranges + n, room - n);
	n += aio_spares(wire, ranges + n, room - n);
	qsort(ranges, n, sizeof(*ranges), cmp_range);
	wire->spares = (uintptr_t)ranges;
	wire->nr_spares = n;
	return 0;
}

/* A number that no task, group or session of the images has; each task has another one. 0: its memory is small. */
static pid_t reader_tid(struct restore *r, const struct restore_task *rt, const struct wire_task *wire)
{
	const struct wire_io *io = (const struct wire_io *)(uintptr_t)wire->ios;
	struct restore_task *other;
	uint64_t bytes = 0;
	pid_t last = 0;

	for (uint64_t i = 0; i < wire->nr_ios; i++)
		bytes += io[i].len;
	if (bytes < WORTH_A_THREAD)
		return 0;
	restore_for_each_task(other, r) {
		last = MAX_OF(last, MAX_OF(other->t.pid, MAX_OF(other->t.sid, other->t.pgid)));
		for (size_t i = 0; i < other->nr_threads; i++)
			last = MAX_OF(last, other->threads[i].id.tid);
	}
	return last + (pid_t)r->nr_helpers + 1 + (pid_t)rt->t.index;
}

static int fill(struct restore *r, struct restore_task *rt, struct wire_task *wire)
{
	int err = 0;

	wire->commit_fd = r->commit_fd;
	wire->service_base = rt->files_owner ? r->service_base : 0;
	err = memory_hand_over(r, rt, wire);
	if (!err)
		wire->reader_tid = reader_tid(r, rt, wire);
	/* The root directory may become another: from here on no path leads anywhere. */
	for (const struct task_kind *const *kind = task_kinds; !err && *kind; kind++)
		err = (*kind)->apply ? (*kind)->apply(r, rt) : 0;
	for (const struct task_kind *const *kind = task_kinds; !err && *kind; kind++)
		err = (*kind)->hand_over ? (*kind)->hand_over(r, rt, wire) : 0;
	if (!err)
		err = fill_threads(r, rt, wire);
	if (!err)
		err = fill_spares(r, rt, wire);
	return err ? err : move_shared(r, wire);
}

/* The kernel writes into libc's rseq area whenever we are preempted: it must not after that memory has gone. */
static int leave_rseq(void)
{
	void *area = (char *)__builtin_thread_pointer() + __rseq_offset;

	if (__rseq_size && syscall(SYS_rseq, area, 32, RSEQ_FLAG_UNREGISTER, RSEQ_SIG) < 0)
		return fail(-errno, "leave rseq");
	return 0;
}

static int start_early(struct restore *r, const struct restore_task *rt, struct wire_task *wire)
{
	unsigned long (*entry)(unsigned int, void *) = (void *)(uintptr_t)(wire->region + restorer_blob.entry);
	struct wire_thread *threads = (struct wire_thread *)(uintptr_t)wire->threads;

	/* For what it has to say if it fails: it moves later (move_shared). */
	wire->words = (uintptr_t)&r->shared->words;
	for (size_t i = 1; i < rt->nr_threads; i++) {
		int err = rt->threads[i].early ? (int)entry(RESTORER_THREAD, &threads[i]) : 0;

		if (err)
			return err;
	}
	r->wire = wire;
	return 0;
}

/* They wait in the restorer's own code, on its stacks: nothing of ours may go on running in them. */
int restore_early_threads(struct restore *r, struct restore_task *rt)
{
	struct wire_task *wire = NULL;
	struct holes holes;
	bool any = false;
	int err;

	for (size_t i = 1; i < rt->nr_threads; i++)
		any |= rt->threads[i].early;
	if (!any)
		return 0;
	err = holes_read(r, rt, &holes);
	if (err)
		return err;
	err = map_region(r, rt, &holes, &wire);
	holes_free(&holes);
	return err ? err : start_early(r, rt, wire);
}

int restore_hand_over(struct restore *r, struct restore_task *rt)
{
	struct wire_task *wire = r->wire;
	struct holes holes;
	int err = holes_read(r, rt, &holes);

	if (err)
		return err;
	if (!wire)
		err = map_region(r, rt, &holes, &wire);
	if (!err) {
		wire->stage = holes_take(&holes, STAGE_SIZE, HUGE_PAGE_SZ);
		wire->stage_len = wire->stage ? STAGE_SIZE : 0;
		err = fill(r, rt, wire);
	}
	holes_free(&holes);
	if (!err)
		err = leave_rseq();
	if (err)
		return err;
	compel_jump(wire->region + restorer_blob.entry,
		    ((struct wire_thread *)(uintptr_t)wire->threads)->stack + STACK_SIZE, RESTORER_RUN, wire);
}
