/* SPDX-License-Identifier: GPL-2.0-only */
/* In pie/: no libc, no globals, direct system calls only. */
/*
 * A second thread that reads half of large reads: clearing and copying pages is limited by the speed of one CPU. Its
 * tid is not used by any task of the tree. It exits before any step that depends on the number of threads.
 */
#include <asm-generic/errno-base.h>
#include <compel/pie.h>
#include <linux/futex.h>
#include <linux/mman.h>
#include <linux/sched.h>
#include "pie/restorer/core.h"
#include "pie/restorer/reader.h"

#define STACK_SIZE (16ul << 10)

static void await(_Atomic uint32_t *word, uint32_t old)
{
	while (atomic_load(word) == old)
		sys_futex((void *)word, FUTEX_WAIT, old, NULL, NULL, 0);
}

static void set(_Atomic uint32_t *word, uint32_t value)
{
	atomic_store(word, value);
	sys_futex((void *)word, FUTEX_WAKE, 1, NULL, NULL, 0);
}

static long read_part(const struct reader *r)
{
	uint64_t done = 0;

	while (done < r->len) {
		long got = sys_pread64(r->fd, (void *)(r->to + done), r->len - done, r->offset + done);

		if (got == -EINTR)
			continue;
		if (got <= 0)
			return got ? got : -EIO;
		done += got;
	}
	return 0;
}

static int reader_main(void *arg)
{
	struct reader *r = arg;

	for (;;) {
		await(&r->state, READER_IDLE);
		if (atomic_load(&r->state) == READER_END)
			return 0;
		r->result = read_part(r);
		set(&r->state, READER_IDLE);
	}
}

void reader_open(struct reader *r, int32_t tid, uint32_t pid_levels)
{
	int32_t tids[PID_LEVELS_MAX];
	struct clone_args args = {
		.flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_CHILD_CLEARTID |
			 CLONE_CHILD_SETTID,
		.child_tid = (uint64_t)&r->tid,
		.set_tid = (uint64_t)tids,
		.set_tid_size = pid_levels,
		.stack_size = STACK_SIZE,
	};
	long stack;

	atomic_store(&r->state, READER_IDLE);
	r->open = false;
	if (!tid)
		return;
	for (uint32_t i = 0; i < pid_levels; i++)
		tids[i] = tid;
	stack = sys_mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (stack < 0 && stack > -4096)
		return;
	r->stack = args.stack = stack;
	atomic_store(&r->tid, 1);
	r->open = sys_clone3_run(&args, sizeof(args), reader_main, r) >= 0;
	if (!r->open)
		sys_munmap((void *)r->stack, STACK_SIZE);
}

void reader_start(struct reader *r, int fd, uint64_t to, uint64_t len, uint64_t offset)
{
	r->fd = fd;
	r->to = to;
	r->len = len;
	r->offset = offset;
	set(&r->state, READER_BUSY);
}

long reader_wait(struct reader *r)
{
	await(&r->state, READER_BUSY);
	return r->result;
}

void reader_close(struct reader *r)
{
	uint32_t tid;

	if (!r->open)
		return;
	set(&r->state, READER_END);
	/* When the thread does not use memory any more, the kernel clears it and wakes us: set_tid_address(2). */
	while ((tid = atomic_load(&r->tid)))
		sys_futex((void *)&r->tid, FUTEX_WAIT, tid, NULL, NULL, 0);
	sys_munmap((void *)r->stack, STACK_SIZE);
	r->open = false;
}
