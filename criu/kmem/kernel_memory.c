// SPDX-License-Identifier: GPL-2.0-only
#include "kmem/kernel_memory.h"
#include <errno.h>
#include <linux/bpf.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "base/bits.h"
#include "base/cleanup.h"
#include "kmem/bpf_call.h"
#include "kmem/fields.h"
#include "util/fds.h"
#include "util/proc_root.h"

#define PAGE 4096u
#define CHUNK 32768u
#define GIB (1ull << 30)
#define CANDIDATES 8192 /* GiB of memory searched for a page */

struct window {
	uint64_t at, len;
	int64_t result;
	uint64_t task;
	char bytes[CHUNK];
};

/* window->task = get_current_task(); window->result = probe_read_kernel(window->bytes, window->len, window->at) */
static int load_program(int map)
{
	struct bpf_insn insns[] = {
		{ .code = BPF_LD | BPF_DW | BPF_IMM, .dst_reg = 6, .src_reg = BPF_PSEUDO_MAP_VALUE, .imm = map },
		{ 0 },
		{ .code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_get_current_task },
		{ .code = BPF_STX | BPF_MEM | BPF_DW,
		  .dst_reg = 6,
		  .src_reg = 0,
		  .off = offsetof(struct window, task) },
		{ .code = BPF_LDX | BPF_MEM | BPF_DW, .dst_reg = 3, .src_reg = 6, .off = offsetof(struct window, at) },
		{ .code = BPF_LDX | BPF_MEM | BPF_DW, .dst_reg = 2, .src_reg = 6, .off = offsetof(struct window, len) },
		{ .code = BPF_JMP | BPF_JGT | BPF_K, .dst_reg = 2, .imm = CHUNK, .off = 4 },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = 1, .src_reg = 6 },
		{ .code = BPF_ALU64 | BPF_ADD | BPF_K, .dst_reg = 1, .imm = offsetof(struct window, bytes) },
		{ .code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_probe_read_kernel },
		{ .code = BPF_STX | BPF_MEM | BPF_DW,
		  .dst_reg = 6,
		  .src_reg = 0,
		  .off = offsetof(struct window, result) },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = 0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};

	return bpf_load(insns, ARRAY_SIZE(insns));
}

static const struct kernel_field own_fields[] = {
	{ "task_struct", "files", NULL, offsetof(struct kernel_memory, at_files), false },
	{ "files_struct", "fdt", NULL, offsetof(struct kernel_memory, at_fdt), false },
	{ "fdtable", "fd", NULL, offsetof(struct kernel_memory, at_fd), false },
	{ "file", "private_data", NULL, offsetof(struct kernel_memory, at_private), true },
	{ "file", "f_inode", NULL, offsetof(struct kernel_memory, at_inode), true },
	{ "proc_inode", "vfs_inode", NULL, offsetof(struct kernel_memory, at_vfs_inode), true },
	{ "proc_inode", "pid", NULL, offsetof(struct kernel_memory, at_pid), true },
	{ "pid", "tasks", NULL, offsetof(struct kernel_memory, at_tasks), true },
	{ "task_struct", "pid_links", NULL, offsetof(struct kernel_memory, at_links), true },
};

int kernel_memory_open(struct kernel_memory *ret)
{
	struct kernel_memory mem = { .prog = -1, .map = -1, .percpu = -1, .clock = -1, .window = MAP_FAILED };
	int err;

	mem.map = bpf_make_window(sizeof(struct window));
	err = mem.map < 0 ? mem.map : 0;
	if (!err) {
		mem.window = mmap(NULL, sizeof(struct window), PROT_READ | PROT_WRITE, MAP_SHARED, mem.map, 0);
		err = mem.window == MAP_FAILED ? -errno : 0;
	}
	if (!err) {
		mem.prog = load_program(mem.map);
		err = mem.prog < 0 ? mem.prog : btf_of_kernel(&mem.btf);
	}
	if (!err)
		err = kernel_fields_find(mem.btf, own_fields, ARRAY_SIZE(own_fields), &mem);
	if (err) {
		kernel_memory_close(&mem);
		return err;
	}
	*ret = mem;
	return 0;
}

void kernel_memory_close(struct kernel_memory *mem)
{
	if (mem->window != MAP_FAILED)
		munmap(mem->window, sizeof(struct window));
	cleanup_close(&mem->prog);
	cleanup_close(&mem->map);
	cleanup_close(&mem->percpu);
	cleanup_close(&mem->clock);
	*mem = (struct kernel_memory){ .prog = -1, .map = -1, .percpu = -1, .clock = -1, .window = MAP_FAILED };
}

static int run_program(const struct kernel_memory *mem, int prog, uint64_t at, size_t len)
{
	struct window *w = mem->window;

	w->at = at;
	w->len = len;
	w->result = -EFAULT;
	return bpf_run(prog);
}

int kernel_memory_read(const struct kernel_memory *mem, uint64_t at, void *to, size_t len)
{
	while (len) {
		size_t n = MIN_OF(len, CHUNK);
		const struct window *w = mem->window;
		int err = run_program(mem, mem->prog, at, n);

		if (err || w->result)
			return err ? err : -EFAULT;
		memcpy(to, w->bytes, n);
		to = (char *)to + n;
		at += n;
		len -= n;
	}
	return 0;
}

int kernel_memory_word(const struct kernel_memory *mem, uint64_t at, size_t len, uint64_t *ret)
{
	uint64_t value = 0;
	int err = kernel_memory_read(mem, at, &value, len);

	if (!err)
		*ret = value;
	return err;
}

int kernel_memory_field(const struct kernel_memory *mem, uint64_t object, long field, size_t len, uint64_t *ret)
{
	return field < 0 ? -EOPNOTSUPP : kernel_memory_word(mem, object + (uint64_t)field, len, ret);
}

/* For pointers that few readers need: the field is looked up each time. */
static int named_pointer(const struct kernel_memory *mem, uint64_t at, const char *type, const char *field,
			 uint64_t *ret)
{
	return kernel_memory_field(mem, at, btf_field(mem->btf, type, field), 8, ret);
}

int kernel_memory_task(const struct kernel_memory *mem, uint64_t *ret)
{
	int err = run_program(mem, mem->prog, 0, 0);

	if (!err)
		*ret = ((struct window *)mem->window)->task;
	return err;
}

/* current->files->fdt->fd */
int kernel_memory_files(const struct kernel_memory *mem, uint64_t *ret)
{
	uint64_t at;
	int err = kernel_memory_task(mem, &at);

	if (!err)
		err = kernel_memory_word(mem, at + mem->at_files, 8, &at);
	if (!err)
		err = kernel_memory_word(mem, at + mem->at_fdt, 8, &at);
	if (!err)
		err = kernel_memory_word(mem, at + mem->at_fd, 8, &at);
	if (!err)
		*ret = at;
	return err;
}

static int find_file(const struct kernel_memory *mem, int fd, uint64_t *ret)
{
	uint64_t at;
	int err = kernel_memory_files(mem, &at);

	if (!err)
		err = kernel_memory_word(mem, at + 8ull * fd, 8, &at);
	if (err)
		return err;
	*ret = at;
	return at ? 0 : -EBADF;
}

int kernel_memory_private(const struct kernel_memory *mem, int fd, uint64_t *ret)
{
	uint64_t at;
	int err = find_file(mem, fd, &at);

	return err ? err : kernel_memory_field(mem, at, mem->at_private, 8, ret);
}

int kernel_memory_inode(const struct kernel_memory *mem, int fd, uint64_t *ret)
{
	uint64_t at;
	int err = find_file(mem, fd, &at);

	return err ? err : kernel_memory_field(mem, at, mem->at_inode, 8, ret);
}

/* The inode of a file in /proc has its struct pid, and the first list of that has the task. */
int kernel_memory_task_of(const struct kernel_memory *mem, int dir, uint64_t *ret)
{
	uint64_t at = 0;
	int err = mem->at_vfs_inode < 0 || mem->at_links < 0 ? -EOPNOTSUPP : kernel_memory_inode(mem, dir, &at);

	if (!err)
		err = kernel_memory_field(mem, at - (uint64_t)mem->at_vfs_inode, mem->at_pid, 8, &at);
	if (!err)
		err = kernel_memory_field(mem, at, mem->at_tasks, 8, &at);
	if (!err && !at)
		err = -ESRCH;
	if (!err)
		*ret = at - (uint64_t)mem->at_links;
	return err;
}

/* ---- memory of each CPU ---- */

/* window->task = bpf_map_lookup_percpu_elem(percpu, 0, window->at): address of the element of CPU number "at", or 0 */
static int load_percpu_program(int map, int percpu)
{
	struct bpf_insn insns[] = {
		{ .code = BPF_LD | BPF_DW | BPF_IMM, .dst_reg = 6, .src_reg = BPF_PSEUDO_MAP_VALUE, .imm = map },
		{ 0 },
		{ .code = BPF_LDX | BPF_MEM | BPF_DW, .dst_reg = 3, .src_reg = 6, .off = offsetof(struct window, at) },
		{ .code = BPF_LD | BPF_DW | BPF_IMM, .dst_reg = 1, .src_reg = BPF_PSEUDO_MAP_FD, .imm = percpu },
		{ 0 },
		{ .code = BPF_ST | BPF_MEM | BPF_W, .dst_reg = 10, .off = -4, .imm = 0 },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = 2, .src_reg = 10 },
		{ .code = BPF_ALU64 | BPF_ADD | BPF_K, .dst_reg = 2, .imm = -4 },
		{ .code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_map_lookup_percpu_elem },
		{ .code = BPF_STX | BPF_MEM | BPF_DW,
		  .dst_reg = 6,
		  .src_reg = 0,
		  .off = offsetof(struct window, task) },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = 0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};

	return bpf_load(insns, ARRAY_SIZE(insns));
}

/* The per-CPU pointer of the only element of our map. */
static int read_percpu_pointer(const struct kernel_memory *mem, int fd, uint64_t *ret)
{
	uint64_t at;
	int err = kernel_memory_private(mem, fd, &at);

	return err ? err : named_pointer(mem, at, "bpf_array", "pptrs", ret);
}

static int learn_cpus(struct kernel_memory *mem)
{
	union bpf_attr attr = {
		.map_type = BPF_MAP_TYPE_PERCPU_ARRAY, .key_size = 4, .value_size = 8, .max_entries = 1
	};
	_cleanup_close_ int map = bpf_call(BPF_MAP_CREATE, &attr), prog = -1;
	int err = map < 0 ? map : read_percpu_pointer(mem, map, &mem->percpu_pointer);

	if (err)
		return err;
	prog = load_percpu_program(mem->map, map);
	if (prog < 0)
		return prog;
	mem->percpu = steal_fd(&prog);
	return 0;
}

int kernel_memory_of_cpu(struct kernel_memory *mem, uint64_t pointer, unsigned cpu, uint64_t *ret)
{
	struct window *w = mem->window;
	int err = mem->percpu >= 0 ? 0 : learn_cpus(mem);

	if (!err)
		err = run_program(mem, mem->percpu, cpu, 0);
	if (!err && !w->task)
		err = -ENXIO;
	if (!err)
		*ret = pointer - mem->percpu_pointer + w->task;
	return err;
}

/* ---- time ---- */

/* window->at = ktime_get_ns(), window->len = ktime_get_boot_ns() */
static int load_clock_program(int map)
{
	struct bpf_insn insns[] = {
		{ .code = BPF_LD | BPF_DW | BPF_IMM, .dst_reg = 6, .src_reg = BPF_PSEUDO_MAP_VALUE, .imm = map },
		{ 0 },
		{ .code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_ktime_get_ns },
		{ .code = BPF_STX | BPF_MEM | BPF_DW, .dst_reg = 6, .src_reg = 0, .off = offsetof(struct window, at) },
		{ .code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_ktime_get_boot_ns },
		{ .code = BPF_STX | BPF_MEM | BPF_DW, .dst_reg = 6, .src_reg = 0, .off = offsetof(struct window, len) },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = 0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};

	return bpf_load(insns, ARRAY_SIZE(insns));
}

int kernel_memory_clock(struct kernel_memory *mem, clockid_t clock, uint64_t *ret_ns)
{
	const struct window *w = mem->window;
	int err;

	if (mem->clock < 0)
		mem->clock = load_clock_program(mem->map);
	if (mem->clock < 0)
		return mem->clock;
	err = run_program(mem, mem->clock, 0, 0);
	if (!err)
		*ret_ns = clock == CLOCK_BOOTTIME ? w->len : w->at;
	return err;
}

/* ---- pages ---- */

/*
 * Finds the kernel's direct mapping of all memory by the contents of a page of ours: it starts at a multiple of 1 GiB.
 */
static int find_bytes(const struct kernel_memory *mem, const char *page, uint64_t *ret)
{
	_cleanup_close_ int pagemap = open_at(proc_root(), "self/pagemap", O_RDONLY, 0);
	uint64_t entry, frame, near;
	char seen[64];
	int err = pagemap < 0 ? pagemap :
				pread_exact(pagemap, &entry, sizeof(entry), (uintptr_t)page / PAGE * sizeof(entry));

	if (err)
		return err;
	frame = entry & (BIT(55) - 1);
	if (!(entry >> 63) || !frame)
		return -EPERM;
	near = ((struct window *)mem->window)->task / GIB * GIB;
	for (uint64_t i = 0; i < CANDIDATES; i++) {
		uint64_t at = near - i * GIB + frame * PAGE;

		if (!kernel_memory_read(mem, at, seen, sizeof(seen)) && !memcmp(seen, page, sizeof(seen))) {
			*ret = at;
			return 0;
		}
	}
	return -EOPNOTSUPP;
}

/* Finds the struct page of a page by splicing it into a pipe. */
static int find_page(const struct kernel_memory *mem, const char *page, uint64_t *ret)
{
	struct iovec iov = { (void *)page, PAGE };
	_cleanup_close_ int in = -1, out = -1;
	int ends[2], err;
	uint64_t at;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	out = ends[0];
	in = ends[1];
	if (vmsplice(in, &iov, 1, 0) != PAGE)
		return -errno;
	err = kernel_memory_private(mem, in, &at);
	if (!err)
		err = named_pointer(mem, at, "pipe_inode_info", "bufs", &at);
	/* In a new pipe it is the first buffer. */
	if (!err)
		err = named_pointer(mem, at, "pipe_buffer", "page", &at);
	if (!err)
		*ret = at;
	return err;
}

static int learn_pages(struct kernel_memory *mem)
{
	char *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	long size = btf_sizeof(mem->btf, "page");
	uint64_t bytes = 0, entry = 0;
	int err;

	if (page == MAP_FAILED)
		return -errno;
	if (size <= 0 || PAGE % size)
		err = -EOPNOTSUPP;
	else
		err = getrandom(page, 64, 0) == 64 ? find_page(mem, page, &entry) : -EIO;
	if (!err)
		err = find_bytes(mem, page, &bytes);
	if (!err) {
		mem->page_scale = PAGE / size;
		mem->page_base = bytes - entry * mem->page_scale;
	}
	munmap(page, PAGE);
	return err;
}

int kernel_memory_of_page(struct kernel_memory *mem, uint64_t page, uint64_t *ret)
{
	int err = mem->page_scale ? 0 : learn_pages(mem);

	/* With the lowest bit set it is not a struct page (struct net_iov). */
	if (!err && page & 1)
		err = -EOPNOTSUPP;
	if (!err)
		*ret = page * mem->page_scale + mem->page_base;
	return err;
}
