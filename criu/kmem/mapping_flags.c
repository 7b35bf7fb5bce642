// SPDX-License-Identifier: GPL-2.0-only
#include "kmem/mapping_flags.h"
#include <errno.h>
#include <linux/userfaultfd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "base/bits.h"
#include "base/cleanup.h"
#include "kernel/scan.h"
#include "kmem/tasks.h"
#include "util/fds.h"

#ifndef UFFD_USER_MODE_ONLY
#define UFFD_USER_MODE_ONLY 1
#endif
#ifndef MAP_DROPPABLE
#define MAP_DROPPABLE 0x08 /* Linux 6.11 */
#endif

struct mapping_flags_reader {
	struct kernel_tasks_reader *tasks;
	struct mapping_bits bits;
	struct vma_flags gate; /* [vsyscall], the same in all processes; end 0: there is none */
};

/* ---- bits ---- */

int mapping_bits_learn(struct mapping_bits *bits, uint64_t value, const char *words, size_t len)
{
	struct scan line = scan_text(words, len), word;
	struct mapping_bits found = *bits;
	int nr = 0, bit;

	for (uint64_t left = value; scan_blank(&line) && scan_word(&line, &word); left &= left - 1, nr++) {
		unsigned flag = vma_flag_named(word.p, scan_left(&word));

		if (!left)
			return -EOPNOTSUPP;
		bit = __builtin_ctzll(left);
		found.known |= flag == VMF_COUNT ? 0 : BIT(bit);
		found.flags[bit] = (uint8_t)flag;
	}
	if (nr != __builtin_popcountll(value))
		return 0;
	for (bit = 0; bit < 64; bit++)
		if (bits->known & BIT(bit) && found.flags[bit] != bits->flags[bit])
			return -EOPNOTSUPP;
	*bits = found;
	return 0;
}

bool mapping_bits_decode(const struct mapping_bits *bits, uint64_t value, uint64_t *ret_flags)
{
	*ret_flags = 0;
	if (value & ~bits->known)
		return false;
	for (; value; value &= value - 1)
		*ret_flags |= BIT(bits->flags[__builtin_ctzll(value)]);
	return true;
}

/* ---- mappings of our own ---- */

/* A mapping for each: with different flags, those that are next to each other are not merged. */
static const int advices[] = {
	MADV_DONTDUMP,	 MADV_DONTFORK, MADV_WIPEONFORK, MADV_MERGEABLE,
	MADV_NOHUGEPAGE, MADV_HUGEPAGE, MADV_SEQUENTIAL, MADV_RANDOM,
};
static const int sorts[] = { MAP_SHARED, MAP_PRIVATE | MAP_NORESERVE, MAP_PRIVATE | MAP_GROWSDOWN, MAP_DROPPABLE };

struct samples {
	char *advised, *sorts[ARRAY_SIZE(sorts)];
	size_t page;
	int uffd;
};

static char *map(size_t len, int flags)
{
	void *p = mmap(NULL, len, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

/* As memory that is tracked; without it, that is not read here. */
static void watch(struct samples *s, char *page)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = { .range = { (uintptr_t)page, s->page }, .mode = UFFDIO_REGISTER_MODE_WP };

	s->uffd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | UFFD_USER_MODE_ONLY);
	if (s->uffd >= 0 && !ioctl(s->uffd, UFFDIO_API, &api))
		ioctl(s->uffd, UFFDIO_REGISTER, &reg);
}

/* What this kernel does not have is not learned. */
static void make_samples(struct samples *s)
{
	*s = (struct samples){ .page = (size_t)sysconf(_SC_PAGESIZE), .uffd = -1 };
	s->advised = map((ARRAY_SIZE(advices) + 1) * s->page, MAP_PRIVATE);
	for (size_t i = 0; s->advised && i < ARRAY_SIZE(advices); i++)
		madvise(s->advised + i * s->page, s->page, advices[i]);
	if (s->advised)
		watch(s, s->advised + ARRAY_SIZE(advices) * s->page);
	for (size_t i = 0; i < ARRAY_SIZE(sorts); i++)
		s->sorts[i] = map(s->page, sorts[i]);
}

static void drop_samples(struct samples *s)
{
	cleanup_close(&s->uffd);
	if (s->advised)
		munmap(s->advised, (ARRAY_SIZE(advices) + 1) * s->page);
	for (size_t i = 0; i < ARRAY_SIZE(sorts); i++)
		if (s->sorts[i])
			munmap(s->sorts[i], s->page);
}

/* NULL: it has changed since. */
static const struct kernel_mapping *find(const struct kernel_task *task, uint64_t start, uint64_t end)
{
	for (size_t i = 0; i < task->nr_mappings; i++)
		if (task->mappings[i].start == start)
			return task->mappings[i].end == end ? &task->mappings[i] : NULL;
	return NULL;
}

/* @text: our own smaps */
static int learn(struct mapping_flags_reader *r, const struct buf *text, const struct kernel_task *self)
{
	struct scan s = scan_text(text->data, text->len), line;
	const struct kernel_mapping *m = NULL;
	int err = 0;

	while (!err && scan_line(&s, &line)) {
		struct scan head = line;
		uint64_t start, end;

		if (scan_lit(&line, "VmFlags:"))
			err = m ? mapping_bits_learn(&r->bits, m->flags, line.p, scan_left(&line)) : 0;
		else if (scan_hex(&head, &start) && scan_char(&head, '-') && scan_hex(&head, &end))
			m = find(self, start, end);
	}
	return err;
}

static int find_gate(struct mapping_flags_reader *r, const struct buf *text)
{
	struct vma_flags_array all = { 0 };
	struct maps maps = { 0 };
	int err = smaps_split(text->data, text->len, &maps, &all);

	if (!err && maps.n && maps.n == all.n && !strcmp(maps.v[maps.n - 1].name, "[vsyscall]"))
		r->gate = all.v[all.n - 1];
	array_free(&all);
	maps_free(&maps);
	return err;
}

static int read_task(struct mapping_flags_reader *r, const struct proc *p, struct kernel_task *ret)
{
	int err = kernel_tasks_read(r->tasks, &p->dir, ret, 1);

	return err ? err : kernel_task_read_mappings(r->tasks, ret, SIZE_MAX);
}

static int learn_from_self(struct mapping_flags_reader *r)
{
	_cleanup_proc_ struct proc self = PROC_CLOSED;
	_cleanup_buf_ struct buf text = { 0 };
	struct kernel_task task = { 0 };
	int err = proc_open_self(&self);

	if (!err)
		err = proc_text(&self, "smaps", &text);
	if (!err)
		err = read_task(r, &self, &task);
	if (!err)
		err = learn(r, &text, &task);
	if (!err)
		err = find_gate(r, &text);
	kernel_task_free(&task);
	return err;
}

int mapping_flags_open(struct kernel_tasks_reader *tasks, struct mapping_flags_reader **ret)
{
	struct mapping_flags_reader *r = calloc(1, sizeof(*r));
	struct samples samples;
	int err;

	if (!r)
		return -ENOMEM;
	r->tasks = tasks;
	make_samples(&samples);
	err = learn_from_self(r);
	drop_samples(&samples);
	if (err)
		mapping_flags_close(r);
	else
		*ret = r;
	return err;
}

void mapping_flags_close(struct mapping_flags_reader *r)
{
	free(r);
}

/* ---- mappings of others ---- */

#define NEEDS_COUNTS (BIT(VMF_LO) | BIT(VMF_HT))

/* What maps says of it must be the same. */
static bool agree(const struct kernel_vma *v, const struct kernel_mapping *m, uint64_t flags)
{
	unsigned prot = ((flags & BIT(VMF_RD)) ? PROT_READ : 0) | ((flags & BIT(VMF_WR)) ? PROT_WRITE : 0) |
			((flags & BIT(VMF_EX)) ? PROT_EXEC : 0);

	return m->start == v->start && m->end == v->end && prot == (unsigned)v->prot &&
	       v->shared == !!(flags & BIT(VMF_MS));
}

static int add_flags(const struct mapping_flags_reader *r, const struct kernel_vma *v, const struct kernel_mapping *m,
		     struct vma_flags_array *to)
{
	struct vma_flags f = {
		.start = v->start, .end = v->end, .rss_kb = 1, .thp_kb = 1, .pkey = -1, .not_counted = true
	};

	if (!mapping_bits_decode(&r->bits, m->flags, &f.flags) || f.flags & NEEDS_COUNTS || !agree(v, m, f.flags))
		return -EOPNOTSUPP;
	return array_add(to, f);
}

static int add_all(const struct mapping_flags_reader *r, const struct maps *maps, const struct kernel_task *task,
		   struct vma_flags_array *to)
{
	const struct kernel_vma *last = maps->n ? &maps->v[maps->n - 1] : NULL;
	bool has_gate = last && !strcmp(last->name, "[vsyscall]");
	int err = maps->n - has_gate == task->nr_mappings ? 0 : -EOPNOTSUPP;

	if (has_gate && (last->start != r->gate.start || last->end != r->gate.end))
		err = -EOPNOTSUPP;
	for (size_t i = 0; !err && i < task->nr_mappings; i++)
		err = add_flags(r, &maps->v[i], &task->mappings[i], to);
	return !err && has_gate ? array_add(to, r->gate) : err;
}

int mapping_flags_read(struct mapping_flags_reader *r, const struct proc *p, struct maps *ret_maps,
		       struct vma_flags_array *to)
{
	struct vma_flags_array flags = { 0 };
	struct kernel_task task = { 0 };
	struct maps maps = { 0 };
	int err = maps_read(p, &maps);

	if (!err)
		err = read_task(r, p, &task);
	if (!err)
		err = add_all(r, &maps, &task, &flags);
	kernel_task_free(&task);
	if (err) {
		array_free(&flags);
		maps_free(&maps);
		return err;
	}
	*ret_maps = maps;
	*to = flags;
	return 0;
}
