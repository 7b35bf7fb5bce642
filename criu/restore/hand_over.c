/* SPDX-License-Identifier: GPL-2.0-only */
/* In a task: builds the region that the restorer runs in, fills in its orders, and jumps there. */
#include <compel/jump.h>
#include <errno.h>
#include <linux/rseq.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/rseq.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "memory/aio.h"
#include "memory/memory.h"
#include "memory/premap.h"
#include "memory/restore_memory.h"
#include "memory/vdso.h"
#include "restore/restore.h"
#include "restore/vm_peers.h"
#include "restorer_blob.h"
#include "run/restore.h"
#include "run/spare_tid.h"
#include "run/user_ns.h"
#include "util/log.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 /* Linux 5.14 */
#endif

#define STACK_SIZE (16ul << 10)
#define STAGE_SIZE (16ul << 20)
#define ALWAYS_WRITTEN (36ul << 10)
#define WORTH_A_THREAD (32ul << 20)
/* Small parts: LDT, AIO contexts, auxiliary vector, patches of the vDSO. */
#define SMALL_PARTS (4ul << 20)
/* For one thread: signal frame, memory policy, CPU mask, credentials. */
#define SMALL_PARTS_OF_THREAD (16ul << 10)

/* The region: the blob, the memory shared with the tool, the restorer's data. */
static uint64_t blob_len(void)
{
	return ROUND_UP(restorer_blob.size, PAGE_SZ);
}

static uint64_t head_len(const struct restore *r)
{
	return blob_len() + SHARED_STATE_SIZE;
}

uint64_t restore_shared_place(const struct restore *r)
{
	return r->plan.room.end ? r->plan.room.start + blob_len() : 0;
}

/* Upper bound for one task's part: untouched pages of the region cost nothing. */
static uint64_t task_size(struct restore *r, const struct restore_task *rt)
{
	uint64_t size = sizeof(struct wire_task) + SMALL_PARTS;

	size += rt->nr_threads * (sizeof(struct wire_thread) + STACK_SIZE + SMALL_PARTS_OF_THREAD);
	for (const struct task_kind *const *kind = task_kinds; *kind; kind++)
		size += (*kind)->wire_size ? (*kind)->wire_size(r, rt) : 0;
	return ROUND_UP(size, PAGE_SZ);
}

static uint64_t memory_size(const struct restore *r, const struct restore_task *rt)
{
	uint64_t size = rt->mm->n_vmas * (sizeof(struct wire_vma) + 256);

	size += (rt->nr_runs + (r->process.premap ? r->process.premap->more_runs : 0) + 1) * 2 * sizeof(struct wire_io);
	return ROUND_UP(size, PAGE_SZ);
}

static uint64_t region_size(struct restore *r, const struct restore_task *rt)
{
	uint64_t size = head_len(r) + memory_size(r, rt) + task_size(r, rt);

	for (const struct vm_peer *s = r->process.vm_peers; s; s = s->next)
		size += task_size(r, s->rt);
	return size;
}

/* Everything that a thread needs to be created. */
static int place_threads(struct restore_task *rt, struct wire_task *wire)
{
	struct wire_thread *threads = wire_alloc(wire, rt->nr_threads * sizeof(*threads));
	const unsigned levels = wire->pid_levels;
	int32_t *tids = wire_alloc(wire, rt->nr_threads * levels * sizeof(*tids));

	if (!threads || !tids)
		return fail(-ENOMEM, "threads");
	wire->threads = (uintptr_t)threads;
	wire->nr_threads = rt->nr_threads;
	for (size_t i = 0; i < rt->nr_threads; i++) {
		char *stack = wire_alloc(wire, STACK_SIZE);

		if (!stack)
			return fail(-ENOMEM, "threads");
		threads[i].task = (uintptr_t)wire;
		threads[i].tids = (uintptr_t)(tids + i * levels);
		for (unsigned level = 0; level + 1 < levels; level++)
			tids[i * levels + level] = rt->threads[i].id.inner[levels - 2 - level];
		tids[i * levels + levels - 1] = rt->threads[i].id.tid;
		threads[i].tid = tids[i * levels];
		threads[i].index = i;
		threads[i].stack = (uintptr_t)stack;
		threads[i].stack_size = STACK_SIZE;
	}
	return 0;
}

static void set_shared(struct wire_task *wire, struct shared_state *shared)
{
	wire->ready_count = (uintptr_t)&shared->ready;
	wire->event = (uintptr_t)&shared->event;
	wire->shared_failed = (uintptr_t)&shared->failed;
	wire->committed = (uintptr_t)&shared->committed;
	wire->tool = (uintptr_t)&shared->tool;
	wire->error = (uintptr_t)&shared->error;
	wire->counts = (uintptr_t)&shared->counts;
	wire->turn = (uintptr_t)&shared->turn;
}

/* @shared_at: where the memory shared with the tool will be. */
static int lay_wire(struct restore *r, struct restore_task *rt, char *at, uint64_t len, char *shared_at)
{
	struct wire_task *wire = (struct wire_task *)at;

	wire->alloc_next = (uintptr_t)(wire + 1);
	wire->alloc_end = (uintptr_t)at + len;
	set_shared(wire, (struct shared_state *)shared_at);
	wire->ready_expected = r->shared->expected[STAGE_READY];
	wire->tree_pid = rt->t.pid;
	wire->pid = restore_number_seen(r, rt, rt->t.pid);
	wire->pid_levels = rt->t.pid_ns ? rt->t.pid_ns->depth + 1 : 1;
	wire->settable_levels = restore_settable_levels(r, rt);
	wire->log_fd = log_fd();
	wire->log_level = log_level();
	/* Where the tool finds it. */
	r->shared->tasks[rt->t.index].wire = (uintptr_t)wire;
	return place_threads(rt, wire);
}

static struct wire_task *wire_of(struct restore *r, const struct restore_task *rt)
{
	return (struct wire_task *)(uintptr_t)r->shared->tasks[rt->t.index].wire;
}

/* After its head, a part for each task that shares this memory. */
static int lay_region(struct restore *r, struct restore_task *rt, char *region)
{
	char *at = region + head_len(r), *shared_at = region + blob_len();
	struct wire_group *group;
	int err = lay_wire(r, rt, at, memory_size(r, rt) + task_size(r, rt), shared_at);

	if (err)
		return err;
	at += memory_size(r, rt) + task_size(r, rt);
	group = wire_alloc(wire_of(r, rt), sizeof(*group));
	if (!group)
		return fail(-ENOMEM, "tasks of one memory");
	group->members = 1;
	wire_of(r, rt)->group = (uintptr_t)group;
	for (const struct vm_peer *s = r->process.vm_peers; s; s = s->next) {
		err = lay_wire(r, s->rt, at, task_size(r, s->rt), shared_at);
		if (err)
			return err;
		at += task_size(r, s->rt);
		wire_of(r, s->rt)->group = (uintptr_t)group;
		group->members++;
	}
	return 0;
}

/* In the tool: one blob for all tasks, as they all have space for it at the same address. */
int restore_lay_blob(struct restore *r)
{
	uint64_t len = blob_len();
	void *at;

	if (!r->plan.room.end)
		return 0;
	at = mmap((void *)(uintptr_t)r->plan.room.start, len, PROT_READ | PROT_WRITE | PROT_EXEC,
		  MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	if (at == MAP_FAILED)
		return fail(-errno, "space for the restorer");
	memcpy(at, restorer_blob.bytes, restorer_blob.file_size);
	return mprotect(at, len, PROT_READ | PROT_EXEC) < 0 ? fail(-errno, "protect the restorer") : 0;
}

/* After blob and shared memory; 0: the range is in use, or there is none. */
static uint64_t map_in_room(struct restore *r, uint64_t len)
{
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE;
	uint64_t at = r->plan.room.start, need = ROUND_UP(len, HUGE_PAGE_SZ) + HUGE_PAGE_SZ + STAGE_SIZE;
	uint64_t head = head_len(r);
	void *p;

	if (!at || need > r->plan.room.end - at)
		return 0;
	p = mmap((void *)(uintptr_t)(at + head), len - head, PROT_READ | PROT_WRITE, flags, -1, 0);
	if (p == MAP_FAILED)
		return 0;
	/* Pages that every task writes to: populating them is cheaper. A kernel without that works, too. */
	madvise(p, MIN_OF(len - head, ALWAYS_WRITTEN), MADV_POPULATE_WRITE);
	return at;
}

/* For this task only. */
static int map_elsewhere(struct restore *r, struct restore_task *rt, uint64_t len, uint64_t *ret_at)
{
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE;
	struct holes holes;
	uint64_t at;
	void *p;
	int err = holes_read(r, rt, &holes);

	if (err)
		return err;
	at = holes_take(&holes, len, PAGE_SZ);
	holes_free(&holes);
	if (!at)
		return fail(-ENOMEM, "there are no %lu bytes of address space that are free in both programs", len);
	p = mmap((void *)(uintptr_t)at, len, PROT_READ | PROT_WRITE | PROT_EXEC, flags, -1, 0);
	if (p == MAP_FAILED)
		return fail(-errno, "space for the restorer");
	memcpy(p, restorer_blob.bytes, restorer_blob.file_size);
	*ret_at = at;
	return 0;
}

/* Nothing is mapped there yet. */
static int find_stage(struct restore *r, struct restore_task *rt, struct wire_task *wire)
{
	struct holes holes;
	int err;

	if (wire->region == r->plan.room.start) {
		wire->stage = ROUND_UP(wire->region + wire->region_len + HUGE_PAGE_SZ, HUGE_PAGE_SZ);
		wire->stage_len = STAGE_SIZE;
		return 0;
	}
	err = holes_read(r, rt, &holes);
	if (err)
		return err;
	wire->stage = holes_take(&holes, STAGE_SIZE, HUGE_PAGE_SZ);
	wire->stage_len = wire->stage ? STAGE_SIZE : 0;
	holes_free(&holes);
	return 0;
}

static int map_region(struct restore *r, struct restore_task *rt)
{
	uint64_t len = region_size(r, rt), at = map_in_room(r, len);
	int err = at ? 0 : map_elsewhere(r, rt, len, &at);

	if (!err)
		err = lay_region(r, rt, (char *)(uintptr_t)at);
	if (err)
		return err;
	r->process.wire = wire_of(r, rt);
	r->process.wire->region = at;
	r->process.wire->region_len = len;
	/* To be unmapped at the end, by the last of those that share the memory. */
	r->shared->tasks[rt->t.index].region = at;
	r->shared->tasks[rt->t.index].region_len = len;
	return find_stage(r, rt, r->process.wire);
}

/* So that all of the region can be unmapped at once at the end. In the range that all tasks share, it is there already. */
static int move_shared(struct restore *r, struct wire_task *wire)
{
	size_t len = SHARED_STATE_SIZE;
	char *at = (char *)(uintptr_t)wire->region + blob_len();
	struct shared_state *state;

	if (at == (char *)r->shared->state)
		return 0;
	state = mremap(r->shared->state, len, len, MREMAP_MAYMOVE | MREMAP_FIXED, at);
	if (state == MAP_FAILED)
		return fail(-errno, "move shared memory");
	r->shared->state = state;
	return 0;
}

/* Populates memory for @nr more threads: a page fault for each page costs more. */
#define POPULATE_SIZE (256ul << 10)
#define WORTH_POPULATING 16

static void populate(const struct wire_task *wire, uint64_t each, size_t nr, uint64_t *populated)
{
	uint64_t from = MAX_OF(ROUND_UP(wire->alloc_next, PAGE_SZ), *populated);

	if (nr < WORTH_POPULATING || from > wire->alloc_next + each)
		return;
	*populated = MIN_OF(from + ROUND_UP(MIN_OF(nr * each, POPULATE_SIZE), PAGE_SZ),
			    ROUND_DOWN(wire->alloc_end, PAGE_SZ));
	if (*populated > from)
		madvise((void *)(uintptr_t)from, *populated - from, MADV_POPULATE_WRITE);
}

static int fill_threads(struct restore *r, struct restore_task *rt, struct wire_task *wire)
{
	struct wire_thread *threads = (struct wire_thread *)(uintptr_t)wire->threads;
	uint64_t populated = 0;

	for (size_t i = 0; i < rt->nr_threads; i++) {
		struct wire_thread *th = &threads[i];
		uint64_t size = compel_sigframe_size(&rt->threads[i].cpu) + 64;
		char *frame;

		populate(wire, size, rt->nr_threads - i, &populated);
		frame = wire_alloc(wire, size);
		if (!frame)
			return fail(-ENOMEM, "threads");
		th->ends = !i && rt->leader_ends;
		th->here = th->ends;
		th->exit_status = WEXITSTATUS(rt->t.exit_code);
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

static int fill_reserved(struct restore *r, struct restore_task *rt, struct wire_task *wire)
{
	size_t room = rt->mm->n_vmas + 16, n = 0;
	struct wire_range *ranges = wire_alloc(wire, room * sizeof(*ranges));

	if (!ranges)
		return fail(-ENOMEM, "ranges to keep");
	ranges[n++] = (struct wire_range){ wire->region, wire->region + wire->region_len };
	n += vdso_reserved(wire, ranges + n, room - n);
	n += premap_reserved_ranges(r->process.premap, ranges + n, room - n);
	n += aio_reserved_ranges(wire, ranges + n, room - n);
	qsort(ranges, n, sizeof(*ranges), cmp_range);
	wire->reserved = (uintptr_t)ranges;
	wire->nr_reserved = n;
	return 0;
}

/* 0: its memory is small. */
static pid_t reader_tid(struct restore *r, const struct restore_task *rt, const struct wire_task *wire)
{
	const struct wire_io *io = (const struct wire_io *)(uintptr_t)wire->ios;
	uint64_t bytes = 0;

	for (uint64_t i = 0; i < wire->nr_ios; i++)
		bytes += io[i].len;
	return bytes < WORTH_A_THREAD ? 0 : restore_spare_tid(r, rt, SPARE_TID_READER);
}

/* In each task: fills in the restorer's orders. */
static int fill(struct restore *r, struct restore_task *rt)
{
	struct wire_task *wire = wire_of(r, rt);
	int err = 0;

	wire->service_base = rt->files_owner && rt->files_shared ? r->service_base : 0;
	wire->own_service_base = rt->files_owner && !rt->files_shared ? r->service_base : 0;
	/* The root directory may change: from here on no path can be used. */
	for (const struct task_kind *const *kind = task_kinds; !err && *kind; kind++)
		err = (*kind)->apply ? (*kind)->apply(r, rt) : 0;
	for (const struct task_kind *const *kind = task_kinds; !err && *kind; kind++)
		err = (*kind)->hand_over ? (*kind)->hand_over(r, rt, wire) : 0;
	return err ? err : fill_threads(r, rt, wire);
}

static int fill_all(struct restore *r, struct restore_task *rt, struct wire_task *wire)
{
	int err = memory_hand_over(r, rt, wire);

	if (!err)
		wire->reader_tid = reader_tid(r, rt, wire);
	if (!err)
		err = vm_peers_run(r, rt, fill);
	return err ? err : fill_reserved(r, rt, wire);
}

/* The kernel writes into libc's rseq area whenever we are preempted: it must not after that memory is gone. */
static int leave_rseq(void)
{
	void *area = (char *)__builtin_thread_pointer() + __rseq_offset;

	/* -EINVAL: a child of a VM peer has none, as its creator had none (CLONE_VM). */
	if (__rseq_size && syscall(SYS_rseq, area, 32, RSEQ_FLAG_UNREGISTER, RSEQ_SIG) < 0 && errno != EINVAL)
		return fail(-errno, "leave rseq");
	return 0;
}

static bool has_early_threads(const struct restore_task *rt)
{
	for (size_t i = 1; i < rt->nr_threads; i++)
		if (rt->threads[i].early)
			return true;
	return false;
}

/* In the process that the threads belong to. */
static int start_early(struct restore *r, struct restore_task *rt)
{
	unsigned long (*entry)(unsigned int, void *) =
		(void *)(uintptr_t)(r->process.wire->region + restorer_blob.entry);
	struct wire_task *wire = wire_of(r, rt);
	struct wire_thread *threads = (struct wire_thread *)(uintptr_t)wire->threads;
	struct shared_state *later =
		container_of((struct restorer_error *)(uintptr_t)wire->error, struct shared_state, error);
	int err = 0;

	/* It moves later (move_shared). */
	set_shared(wire, r->shared->state);
	for (size_t i = 1; !err && i < rt->nr_threads; i++)
		err = rt->threads[i].early ? (int)entry(RESTORER_THREAD, &threads[i]) : 0;
	set_shared(wire, later);
	return err;
}

/* They wait in the restorer's own code, on its stacks: none of our code may remain in use by them. */
int restore_early_threads(struct restore *r, struct restore_task *rt)
{
	bool any = has_early_threads(rt);

	for (const struct vm_peer *s = r->process.vm_peers; s; s = s->next)
		any |= has_early_threads(s->rt);
	return any ? vm_peers_run(r, rt, start_early) : 0;
}

/* In a table that is shared, descriptors are opened only when all files are at their numbers. */
int restore_prepare_memory(struct restore *r, struct restore_task *rt)
{
	int err = map_region(r, rt);

	if (!err && !rt->files_shared)
		err = memory_prepare(r, rt);
	return err;
}

int restore_hand_over(struct restore *r, struct restore_task *rt)
{
	struct wire_task *wire = r->process.wire;
	int err = rt->files_shared ? memory_prepare(r, rt) : 0;

	if (!err)
		err = fill_all(r, rt, wire);
	if (err)
		return err;
	vm_peers_leave(r, wire->region + restorer_blob.entry);
	err = move_shared(r, wire);
	if (!err)
		err = leave_rseq();
	if (!err)
		err = restore_enter_nested_user_ns(r, rt);
	if (err)
		return err;
	compel_jump(wire->region + restorer_blob.entry,
		    ((struct wire_thread *)(uintptr_t)wire->threads)->stack + STACK_SIZE, RESTORER_RUN, wire);
}
