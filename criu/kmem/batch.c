// SPDX-License-Identifier: GPL-2.0-only
#include "kmem/batch.h"
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include "base/bits.h"
#include "base/cleanup.h"
#include "kmem/bpf_call.h"

#define ROOM (60u << 10) /* bytes of all reads of a run */

struct request {
	uint64_t at; /* 0: end of the requests */
	int32_t len; /* in; out: 0, or a negative errno */
	uint32_t to; /* offset in @bytes */
};

struct window {
	struct request requests[KERNEL_BATCH_READS];
	char bytes[ROOM + KERNEL_BATCH_LONGEST];
};

/*
 * for (i = 0; i < KERNEL_BATCH_READS && r->at && r->len <= LONGEST && r->to <= ROOM; i++, r++)
 *	r->len = probe_read_kernel(bytes + r->to, r->len, r->at)
 */
static int load_program(int map)
{
	struct bpf_insn insns[] = {
		{ .code = BPF_LD | BPF_DW | BPF_IMM, .dst_reg = 6, .src_reg = BPF_PSEUDO_MAP_VALUE, .imm = map },
		{ 0 },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 7, .imm = 0 },
		{ .code = BPF_JMP | BPF_JGE | BPF_K, .dst_reg = 7, .imm = KERNEL_BATCH_READS, .off = 16 },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = 9, .src_reg = 7 },
		{ .code = BPF_ALU64 | BPF_MUL | BPF_K, .dst_reg = 9, .imm = sizeof(struct request) },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = 8, .src_reg = 6 },
		{ .code = BPF_ALU64 | BPF_ADD | BPF_X, .dst_reg = 8, .src_reg = 9 },
		{ .code = BPF_LDX | BPF_MEM | BPF_DW, .dst_reg = 3, .src_reg = 8, .off = offsetof(struct request, at) },
		{ .code = BPF_JMP | BPF_JEQ | BPF_K, .dst_reg = 3, .imm = 0, .off = 10 },
		{ .code = BPF_LDX | BPF_MEM | BPF_W, .dst_reg = 2, .src_reg = 8, .off = offsetof(struct request, len) },
		{ .code = BPF_JMP | BPF_JGT | BPF_K, .dst_reg = 2, .imm = KERNEL_BATCH_LONGEST, .off = 8 },
		{ .code = BPF_LDX | BPF_MEM | BPF_W, .dst_reg = 1, .src_reg = 8, .off = offsetof(struct request, to) },
		{ .code = BPF_JMP | BPF_JGT | BPF_K, .dst_reg = 1, .imm = ROOM, .off = 6 },
		{ .code = BPF_ALU64 | BPF_ADD | BPF_X, .dst_reg = 1, .src_reg = 6 },
		{ .code = BPF_ALU64 | BPF_ADD | BPF_K, .dst_reg = 1, .imm = offsetof(struct window, bytes) },
		{ .code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_probe_read_kernel },
		{ .code = BPF_STX | BPF_MEM | BPF_W, .dst_reg = 8, .src_reg = 0, .off = offsetof(struct request, len) },
		{ .code = BPF_ALU64 | BPF_ADD | BPF_K, .dst_reg = 7, .imm = 1 },
		{ .code = BPF_JMP | BPF_JA, .off = -17 },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = 0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};

	return bpf_load(insns, ARRAY_SIZE(insns));
}

int kernel_batch_open(struct kernel_batch *ret)
{
	struct kernel_batch b = { .prog = -1, .chain = -1, .window = MAP_FAILED };
	int err;

	b.map = bpf_make_window(sizeof(struct window));
	err = b.map < 0 ? b.map : 0;
	if (!err) {
		b.window = mmap(NULL, sizeof(struct window), PROT_READ | PROT_WRITE, MAP_SHARED, b.map, 0);
		err = b.window == MAP_FAILED ? -errno : 0;
	}
	if (!err) {
		b.prog = load_program(b.map);
		err = b.prog < 0 ? b.prog : 0;
	}
	if (err)
		kernel_batch_close(&b);
	else
		*ret = b;
	return err;
}

void kernel_batch_close(struct kernel_batch *b)
{
	if (b->window != MAP_FAILED)
		munmap(b->window, sizeof(struct window));
	cleanup_close(&b->chain);
	cleanup_close(&b->prog);
	cleanup_close(&b->map);
	*b = (struct kernel_batch){ .map = -1, .prog = -1, .chain = -1, .window = MAP_FAILED };
}

static void run(struct kernel_batch *b)
{
	struct window *w = b->window;
	uint32_t lens[KERNEL_BATCH_READS];
	int err;

	if (b->n < KERNEL_BATCH_READS)
		w->requests[b->n].at = 0;
	for (unsigned i = 0; i < b->n; i++)
		lens[i] = (uint32_t)w->requests[i].len;
	err = bpf_run(b->prog);
	for (unsigned i = 0; i < b->n; i++) {
		if (!err && !w->requests[i].len) {
			memcpy(b->to[i], w->bytes + w->requests[i].to, lens[i]);
			continue;
		}
		/* Zeroes would mean that there is nothing. */
		memset(b->to[i], 0, lens[i]);
		err = err ? err : -EFAULT;
	}
	b->err = b->err ? b->err : err;
	b->n = b->used = 0;
}

void kernel_batch_add(struct kernel_batch *b, uint64_t at, void *to, size_t len)
{
	struct window *w = b->window;

	if (!at || !len || len > KERNEL_BATCH_LONGEST) {
		memset(to, 0, len);
		b->err = len > KERNEL_BATCH_LONGEST && !b->err ? -E2BIG : b->err;
		return;
	}
	w->requests[b->n] = (struct request){ at, (int32_t)len, b->used };
	b->to[b->n++] = to;
	b->used += (uint32_t)ROUND_UP(len, 8);
	if (b->n == KERNEL_BATCH_READS || b->used > ROOM)
		run(b);
}

int kernel_batch_run(struct kernel_batch *b)
{
	int err;

	if (b->n)
		run(b);
	err = b->err;
	b->err = 0;
	return err;
}

/*
 * for (i = 1; i <= KERNEL_BATCH_HOPS; i++)
 *	if (probe_read_kernel(&window[i], 8, window[i - 1]))
 *		window[i] = 0
 */
static int load_chain(int map)
{
	struct bpf_insn insns[] = {
		{ .code = BPF_LD | BPF_DW | BPF_IMM, .dst_reg = 6, .src_reg = BPF_PSEUDO_MAP_VALUE, .imm = map },
		{ 0 },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 7, .imm = 0 },
		{ .code = BPF_JMP | BPF_JGE | BPF_K, .dst_reg = 7, .imm = KERNEL_BATCH_HOPS, .off = 10 },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = 8, .src_reg = 7 },
		{ .code = BPF_ALU64 | BPF_MUL | BPF_K, .dst_reg = 8, .imm = 8 },
		{ .code = BPF_ALU64 | BPF_ADD | BPF_X, .dst_reg = 8, .src_reg = 6 },
		{ .code = BPF_LDX | BPF_MEM | BPF_DW, .dst_reg = 3, .src_reg = 8 },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = 1, .src_reg = 8 },
		{ .code = BPF_ALU64 | BPF_ADD | BPF_K, .dst_reg = 1, .imm = 8 },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 2, .imm = 8 },
		{ .code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_probe_read_kernel },
		/* It has put zeroes there if it failed. */
		{ .code = BPF_ALU64 | BPF_ADD | BPF_K, .dst_reg = 7, .imm = 1 },
		{ .code = BPF_JMP | BPF_JA, .off = -11 },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = 0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};

	return bpf_load(insns, ARRAY_SIZE(insns));
}

int kernel_batch_follow(struct kernel_batch *b, uint64_t at, uint64_t ret[KERNEL_BATCH_HOPS])
{
	uint64_t *window = b->window;
	int err;

	if (b->chain < 0)
		b->chain = load_chain(b->map);
	if (b->chain < 0)
		return b->chain;
	window[0] = at;
	err = bpf_run(b->chain);
	memcpy(ret, window + 1, KERNEL_BATCH_HOPS * sizeof(*ret));
	return err;
}
