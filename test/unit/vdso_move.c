// SPDX-License-Identifier: GPL-2.0-only
/* End to end, in forked children: an image is built and planned for, our own vDSO is moved and called. */
#include <errno.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include "base/bits.h"
#include "image/dir.h"
#include "memory/memory.h"
#include "memory/vdso.h"
#include "pie/vma.h"
#include "util/log.h"
#include "util_check.h"
#include "vdso_helper.h"

/* In a child: exit with the line number. */
#define MUST(cond)                                                                                \
	do {                                                                                      \
		if (!(cond)) {                                                                    \
			dprintf(2, "# %s:%d: %s (errno %d)\n", __FILE__, __LINE__, #cond, errno); \
			_exit(1);                                                                 \
		}                                                                                 \
	} while (0)

static uint64_t next_hole;

/* Stubs of functions from memory/ and run/. */
int memory_find_hole(struct restore *r, struct restore_task *rt, uint64_t len, uint64_t *ret_addr)
{
	void *at = mmap(NULL, len + (64 << 20), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	munmap(at, len + (64 << 20));
	*ret_addr = next_hole = (uintptr_t)at + (32 << 20);
	return 0;
}

void *wire_alloc(struct wire_task *wire, size_t size)
{
	return calloc(1, size);
}

/* ---- an image --------------------------------------------------------------------------- */

struct image {
	uint64_t vvar, vvar_len, vdso, vdso_len; /* 0 bytes: the task had none */
	uint8_t bytes[1 << 16];
	uint64_t ip;
};

static struct {
	struct own_maps own;
	struct restore r;
	struct restore_task rt;
	struct restore_thread thread;
	struct wire_task wire;
	struct pagemap map;
	struct pagemap_run run;
	int pages;
	struct page_source source;
	MmEntry mm;
	VmaEntry vmas[2], *vma_list[2];
	CoreEntry core;
	ThreadInfoX86 info;
	UserX86RegsEntry regs;
} child;

static void add_vma(uint64_t start, uint64_t len, uint32_t prot, uint32_t status)
{
	VmaEntry *v = &child.vmas[child.mm.n_vmas];

	if (!len)
		return;
	vma_entry__init(v);
	v->start = start;
	v->end = start + len;
	v->prot = prot;
	v->status = VMA_REGULAR | VMA_ANON_PRIVATE | status;
	child.vma_list[child.mm.n_vmas++] = v;
}

static int read_fed(const struct page_source *source, const struct pagemap_run *run, uint64_t addr, void *to,
		    uint64_t len)
{
	return pread(child.pages, to, len, (off_t)(run->offset + (addr - run->vaddr))) == (ssize_t)len ? 0 : -EIO;
}
static const struct page_source_ops fed = { .read = read_fed };

static void build(const struct image *image)
{
	mm_entry__init(&child.mm);
	child.mm.vmas = child.vma_list;
	add_vma(image->vvar, image->vvar_len, PROT_READ, VMA_VVAR);
	add_vma(image->vdso, image->vdso_len, PROT_READ | PROT_EXEC, VMA_VDSO);
	child.pages = memfd_create("pages", MFD_CLOEXEC);
	MUST(pwrite(child.pages, image->bytes, image->vdso_len, 8192) == (ssize_t)image->vdso_len);
	child.run = (struct pagemap_run){
		.vaddr = image->vdso, .nr_pages = image->vdso_len / PAGE_SZ, .flags = PAGEMAP_PRESENT, .offset = 8192
	};
	child.map = (struct pagemap){
		.nr_runs = image->vdso_len ? 1 : 0, .runs = &child.run, .nr_sources = 1, .sources = &child.pages
	};
	child.source = (struct page_source){ .ops = &fed, .map = &child.map };
	core_entry__init(&child.core);
	thread_info_x86__init(&child.info);
	user_x86_regs_entry__init(&child.regs);
	child.core.thread_info = &child.info;
	child.info.gpregs = &child.regs;
	child.regs.ip = image->ip;
	child.thread.core = &child.core;
	child.rt.mm = &child.mm;
	child.rt.threads = &child.thread;
	child.rt.nr_threads = 1;
}

/* What the restorer does around the call. */
static int restore(const struct image *image)
{
	int err;

	build(image);
	err = vdso_plan(&child.r, &child.rt, &child.source, &child.wire);
	if (err)
		return err;
	MUST(!vdso_move(&child.wire));
	for (size_t i = 0; i < child.mm.n_vmas; i++) {
		const VmaEntry *v = child.vma_list[i];

		if (vdso_places(&child.wire, v->start, v->end))
			continue;
		MUST(mmap((void *)v->start, v->end - v->start, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == (void *)v->start);
		if (v->status & VMA_VDSO)
			memcpy((void *)v->start, image->bytes, image->vdso_len);
		mprotect((void *)v->start, v->end - v->start, v->prot);
	}
	return vdso_patch(&child.wire);
}

/* ---- the child's own vDSO --------------------------------------------------------------- */

#define GAP (1ul << 20)

/* Moves to an address with free space on either side: from here on libc's clock_gettime must not be called. */
static uint64_t move_to_free_space(void)
{
	static struct wire_task wire;
	uint8_t *gap = mmap(NULL, 4 * GAP, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t to = (uintptr_t)gap + 2 * GAP;

	munmap(gap, 4 * GAP);
	find_own(&child.own);
	MUST(child.own.vdso && child.own.vvar);
	memcpy(wire.vdso_parts, child.own.parts, sizeof(wire.vdso_parts));
	wire.nr_vdso_parts = child.own.nr;
	for (unsigned i = 0; i < child.own.nr; i++)
		wire.vdso_parts[i].then = to + child.own.parts[i].now - child.own.parts[0].now;
	MUST(!vdso_move(&wire));
	find_own(&child.own);
	MUST(child.own.parts[0].now == to);
	return to;
}

/* An image of the same vDSO at our addresses plus @delta. */
static void copy_own(struct image *image, int64_t delta)
{
	memset(image, 0, sizeof(*image));
	image->vvar = child.own.vvar + delta;
	image->vvar_len = child.own.vvar_len;
	image->vdso = child.own.vdso + delta;
	image->vdso_len = child.own.vdso_len;
	memcpy(image->bytes, (void *)child.own.vdso, image->vdso_len);
}

/* For cases that log, which needs libc's clock: ours is not moved, the image's address has free space around it. */
static void image_elsewhere(struct image *image)
{
	uint8_t *gap = mmap(NULL, 4 * GAP, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	munmap(gap, 4 * GAP);
	find_own(&child.own);
	copy_own(image, (int64_t)((uintptr_t)gap + 2 * GAP - child.own.parts[0].now));
}

static struct timespec now(int clock)
{
	struct timespec t = { 0 };

	syscall(SYS_clock_gettime, clock, &t);
	return t;
}

static void must_be_near(const struct timespec *t, const struct timespec *before)
{
	MUST(t->tv_sec >= before->tv_sec && t->tv_sec <= before->tv_sec + 5);
}

/* Functions that return int leave the upper half of the register undefined. */
static long call(uint64_t function, uintptr_t a, uintptr_t b, uintptr_t c)
{
	return ((long (*)(uintptr_t, uintptr_t, uintptr_t, uintptr_t, uintptr_t))function)(a, b, c, 0, 0);
}

/* As libc does it: the functions that the symbols of the ELF file at @at name. */
static void call_all(uint64_t at, size_t len)
{
	struct timespec before = now(CLOCK_REALTIME), mono = now(CLOCK_MONOTONIC), t = { 0 };
	struct vdso_symbols symbols;
	unsigned cpu = ~0u, node = ~0u;
	struct timeval tv = { 0 };
	time_t sec = 0;

	MUST(!vdso_parse((void *)at, len, &symbols));
#define CALL(name, a, b, c) call(at + find_symbol(&symbols, name)->offset, (uintptr_t)(a), (uintptr_t)(b), c)
	for (int i = 0; i < 1000; i++)
		MUST(!CALL("__vdso_clock_gettime", CLOCK_MONOTONIC, &t, 0));
	must_be_near(&t, &mono);
	MUST(!CALL("clock_gettime", CLOCK_REALTIME, &t, 0));
	must_be_near(&t, &before);
	MUST(!CALL("__vdso_gettimeofday", &tv, 0, 0));
	MUST(tv.tv_sec >= before.tv_sec && tv.tv_sec <= before.tv_sec + 5);
	/* Time of the last tick: may be a second behind for some milliseconds. */
	MUST(CALL("__vdso_time", &sec, 0, 0) == sec && sec >= before.tv_sec - 1 && sec <= before.tv_sec + 5);
	MUST(!CALL("__vdso_clock_getres", CLOCK_MONOTONIC, &t, 0) && t.tv_sec == 0 && t.tv_nsec > 0);
	MUST(!CALL("__vdso_getcpu", &cpu, &node, 0) && cpu < 4096 && node < 4096);
	if (find_symbol(&symbols, "__vdso_getrandom")) {
		uint64_t random = 0;

		MUST(CALL("__vdso_getrandom", &random, sizeof(random), 0) == 8 && random);
	}
#undef CALL
}

/* The image's vDSO becomes plain memory that calls ours. */
static bool is_proxy(void)
{
	return child.wire.vdso_old.end;
}

static void must_be_moved(const struct image *image)
{
	MUST(!is_proxy() && !child.wire.nr_vdso_patches);
	find_own(&child.own);
	MUST(child.own.vdso == image->vdso && child.own.vvar == image->vvar);
	call_all(image->vdso, image->vdso_len);
}

static void must_be_proxied(const struct image *image)
{
	MUST(is_proxy());
	find_own(&child.own);
	MUST(child.own.parts[0].now == next_hole && child.own.vdso != image->vdso);
	call_all(image->vdso, image->vdso_len);
}

/* ---- cases ------------------------------------------------------------------------------ */

static struct image image;

static void move_far(void)
{
	move_to_free_space();
	copy_own(&image, GAP);
	MUST(!restore(&image) && !child.wire.vdso_detour);
	must_be_moved(&image);
}

static void stay(void)
{
	move_to_free_space();
	copy_own(&image, 0);
	MUST(!restore(&image) && !child.wire.vdso_detour);
	must_be_moved(&image);
}

static void move_by_a_page(void)
{
	move_to_free_space();
	copy_own(&image, PAGE_SZ);
	MUST(!restore(&image) && child.wire.vdso_detour);
	must_be_moved(&image);
}

static void move_down_overlapping(void)
{
	move_to_free_space();
	copy_own(&image, -(int64_t)(3 * PAGE_SZ));
	MUST(!restore(&image) && child.wire.vdso_detour);
	must_be_moved(&image);
}

static void image_without_vdso(void)
{
	move_to_free_space();
	memset(&image, 0, sizeof(image));
	MUST(!restore(&image));
	find_own(&child.own);
	MUST(!child.own.nr);
}

static void image_with_vvar_only(void)
{
	move_to_free_space();
	copy_own(&image, GAP);
	image.vdso_len = 0;
	MUST(!restore(&image));
	find_own(&child.own);
	MUST(!child.own.vdso && child.own.vvar == image.vvar);
}

static void image_with_vdso_only(void)
{
	move_to_free_space();
	copy_own(&image, GAP);
	image.vvar_len = 0;
	MUST(!restore(&image));
	must_be_proxied(&image);
}

/* The dynamic symbols of a copy, found by their values. */
static void shift_symbols(struct image *im, unsigned by)
{
	struct vdso_symbols symbols;

	MUST(!vdso_parse((void *)child.own.vdso, child.own.vdso_len, &symbols));
	for (size_t at = 0; at + 24 <= 0x800; at += 8) {
		uint64_t *value = (uint64_t *)(im->bytes + at + 8), *size = value + 1;
		uint8_t type = im->bytes[at + 4];

		for (size_t i = 0; i < symbols.n; i++) {
			if (symbols.v[i].offset == *value && (type == 0x12 || type == 0x22) && *size < im->vdso_len) {
				*value += by;
				break;
			}
		}
	}
	MUST(!vdso_parse(im->bytes, im->vdso_len, &symbols));
}

static void other_symbols(void)
{
	move_to_free_space();
	copy_own(&image, GAP);
	shift_symbols(&image, 20);
	MUST(!restore(&image));
	must_be_proxied(&image);
	MUST(child.wire.nr_vdso_patches >= 5);
}

static void other_symbols_where_ours_is(void)
{
	move_to_free_space();
	copy_own(&image, PAGE_SZ);
	shift_symbols(&image, 16);
	MUST(!restore(&image));
	must_be_proxied(&image);
}

static void another_size(void)
{
	move_to_free_space();
	copy_own(&image, GAP);
	image.vdso_len += PAGE_SZ;
	image.vvar += 2 * PAGE_SZ;
	image.vvar_len -= 2 * PAGE_SZ;
	MUST(!restore(&image));
	must_be_proxied(&image);
}

static void stopped_thread_inside(void)
{
	uint64_t offset;
	struct vdso_symbols symbols;

	image_elsewhere(&image);
	MUST(!vdso_parse(image.bytes, image.vdso_len, &symbols));
	offset = find_symbol(&symbols, "__vdso_gettimeofday")->offset;
	image.ip = image.vdso + offset + 30;
	shift_symbols(&image, 16);
	MUST(restore(&image) == -EOPNOTSUPP);
	child.mm.n_vmas = 0;
	/* At its very first instruction it continues through the jump. */
	image.ip = image.vdso + offset + 16;
	MUST(!restore(&image));
	must_be_proxied(&image);
}

static void stopped_thread_inside_the_same(void)
{
	move_to_free_space();
	copy_own(&image, GAP);
	image.ip = image.vdso + 0x900;
	MUST(!restore(&image));
	must_be_moved(&image);
}

static void stopped_thread_in_other_code(void)
{
	struct vdso_symbols symbols;

	image_elsewhere(&image);
	MUST(!vdso_parse(image.bytes, image.vdso_len, &symbols));
	image.bytes[symbols.loaded - 1] ^= 1;
	image.ip = image.vdso + 0x900;
	MUST(restore(&image) == -EOPNOTSUPP);
	child.mm.n_vmas = 0;
	image.ip = 0x1000;
	MUST(!restore(&image));
	must_be_moved(&image);
}

static void image_without_the_pages(void)
{
	image_elsewhere(&image);
	build(&image);
	child.map.nr_runs = 0;
	MUST(!vdso_plan(&child.r, &child.rt, &child.source, &child.wire) && !is_proxy());
	child.vmas[1].end += PAGE_SZ;
	MUST(vdso_plan(&child.r, &child.rt, &child.source, &child.wire) == -EBADMSG);
}

static void image_that_is_no_elf(void)
{
	image_elsewhere(&image);
	memset(image.bytes, 0xaa, 64);
	MUST(restore(&image) == -EBADMSG);
}

/* CRIU's own image: plan for it. */
static void fixture(void)
{
	const char *top = getenv("ROOT");
	struct page_source *source;
	struct image_store *dir;
	char path[512];
	MmEntry *mm;

	snprintf(path, sizeof(path), "%s/test/compat/criu-4.2/everything/images", top ? top : ".");
	MUST(!image_dir_open(path, &dir));
	MUST(!image_read_single(dir, IMAGE_MM, 31457, &mm));
	MUST(!image_source_open(dir, IMAGE_PAGEMAP, 31457, &source));
	child.rt.mm = mm;
	child.rt.t.pid = 31457;
	MUST(!vdso_plan(&child.r, &child.rt, source, &child.wire));
	dprintf(1, "# CRIU's vDSO is %s\n", is_proxy() ? "another" : "the same as ours");
	MUST(!vdso_move(&child.wire));
}

static int in_child(void (*fn)(void))
{
	int status = -1;
	pid_t pid = fork();

	if (!pid) {
		fn();
		_exit(0);
	}
	waitpid(pid, &status, 0);
	if (status)
		printf("# status %#x\n", status);
	return status;
}

#define CHILD_CASE(name)                \
	static void name##_(void)       \
	{                               \
		CHECK(!in_child(name)); \
	}
CHILD_CASE(move_far)
CHILD_CASE(stay)
CHILD_CASE(move_by_a_page)
CHILD_CASE(move_down_overlapping)
CHILD_CASE(image_without_vdso)
CHILD_CASE(image_with_vvar_only)
CHILD_CASE(image_with_vdso_only)
CHILD_CASE(other_symbols)
CHILD_CASE(other_symbols_where_ours_is)
CHILD_CASE(another_size)
CHILD_CASE(stopped_thread_inside)
CHILD_CASE(stopped_thread_inside_the_same)
CHILD_CASE(stopped_thread_in_other_code)
CHILD_CASE(image_without_the_pages)
CHILD_CASE(image_that_is_no_elf)
CHILD_CASE(fixture)

int main(int argc, char **argv)
{
	if (argc == 1) {
		log_init(LOG_SILENT);
		log_to_fd(-1);
	}
#ifdef __SANITIZE_ADDRESS__
	puts("skip all: the sanitizer itself calls the vDSO at its old address");
	DONE();
#endif
	RUN(move_far_);
	RUN(stay_);
	RUN(move_by_a_page_);
	RUN(move_down_overlapping_);
	RUN(image_without_vdso_);
	RUN(image_with_vvar_only_);
	RUN(image_with_vdso_only_);
	RUN(other_symbols_);
	RUN(other_symbols_where_ours_is_);
	RUN(another_size_);
	RUN(stopped_thread_inside_);
	RUN(stopped_thread_inside_the_same_);
	RUN(stopped_thread_in_other_code_);
	RUN(image_without_the_pages_);
	RUN(image_that_is_no_elf_);
	RUN(fixture_);
	DONE();
}
