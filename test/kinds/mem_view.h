/* SPDX-License-Identifier: GPL-2.0-only */
/* One object of five pages, mapped three times: shared, privately from page 1 on, shared again from page 2 on. */
#ifndef TEST_MEM_VIEW_H
#define TEST_MEM_VIEW_H
#include "checkpoint.h"

#define VIEW_PAGES 5
#define VIEW_OWN 3 /* the page of which the private mapping has a copy */

struct view {
	const char *name;
	size_t page;
	char *shared, *private, *again;
	int file; /* remains open */
};

/* The file of a mapping. */
static int view_file(const char *mem, size_t size)
{
	char path[96];

	snprintf(path, sizeof(path), "/proc/self/map_files/%lx-%lx", (unsigned long)mem, (unsigned long)mem + size);
	return open(path, O_RDWR | O_CLOEXEC);
}

/* @shared maps the object; @fd is a descriptor of it, which is closed. */
static void view_open(struct view *v, const char *name, size_t page, char *shared, int fd)
{
	*v = (struct view){ .name = name, .page = page, .shared = shared };
	need(shared != MAP_FAILED && fd >= 0, "%s: make it", name);
	for (size_t i = 0; i < VIEW_PAGES; i++)
		fill(shared + i * page, 4096, i);
	v->private = mmap(NULL, 4 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, (off_t)page);
	v->again = mmap(NULL, 3 * page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)(2 * page));
	need(v->private != MAP_FAILED && v->again != MAP_FAILED, "%s: map it again", name);
	close(fd);
	v->file = view_file(shared, VIEW_PAGES * page);
	need(v->file >= 0, "%s: open it again", name);
	/* One page is only read, one written, the others untouched. */
	need(!wrong(v->private + page, 4096, 2), "%s: the private mapping maps other memory", name);
	fill(v->private + (VIEW_OWN - 1) * page, 4096, 100);
}

/* Unchanged, except for writes through the shared mapping with seeds from @seed on. */
static void view_check(const struct view *v, unsigned int seed)
{
	char page[4096];

	for (size_t i = 0; i < VIEW_PAGES; i++) {
		const char *p = v->private + (i - 1) * v->page;

		check(!wrong(v->shared + i * v->page, 4096, seed + i), "%s: page %zu", v->name, i);
		check(pread(v->file, page, 4096, (off_t)(i * v->page)) == 4096 && !wrong(page, 4096, seed + i),
		      "%s: page %zu of the descriptor", v->name, i);
		if (i >= 2)
			check(!wrong(v->again + (i - 2) * v->page, 4096, seed + i), "%s: page %zu, mapped again",
			      v->name, i);
		if (i == VIEW_OWN)
			check(!wrong(p, 4096, 100), "%s: its private page", v->name);
		else if (i >= 1)
			check(!wrong(p, 4096, seed + i), "%s: page %zu of the private mapping", v->name, i);
	}
}

static void view_write(const struct view *v, unsigned int seed)
{
	for (size_t i = 0; i < VIEW_PAGES; i++)
		fill(v->shared + i * v->page, 4096, seed + i);
}

#endif
