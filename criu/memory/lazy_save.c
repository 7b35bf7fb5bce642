// SPDX-License-Identifier: GPL-2.0-only
/*
 * dump --lazy-pages: pages that may be lazy stay in the process until a restore asks for them. The images list them without content;
 * pages of stack pointers, which a restored thread accesses at once, are written.
 */
#include "base/bits.h"
#include "memory/dump_memory.h"
#include "memory/lazy.h"

static bool has_stack_pointer(const struct dump_task *dt, uint64_t start, uint64_t end, uint64_t *ret_page)
{
	uint64_t first = UINT64_MAX;

	for (size_t i = 0; i < dt->nr_threads; i++) {
		const uint64_t sp = compel_stack_pointer(&dt->threads[i].cpu.regs);
		const uint64_t below = sp - MIN_OF(sp, (uint64_t)LAZY_STACK_BELOW);

		if (below >= start && below < end)
			first = MIN_OF(first, ROUND_DOWN(below, PAGE_SZ));
		else if (sp >= start && sp < end)
			first = MIN_OF(first, ROUND_DOWN(sp, PAGE_SZ));
	}
	*ret_page = first;
	return first != UINT64_MAX;
}

int memory_lazy_split(const struct dump_task *dt, const VmaEntry *vma, const struct page_run *run, page_run_fn fn,
		      void *arg)
{
	uint64_t at = run->start, page;
	int err = 0;

	while (!err && at < run->end) {
		struct page_run part = { .start = at, .end = run->end, .outcome = PAGES_LAZY, .may_be_lazy = true };

		if (has_stack_pointer(dt, at, run->end, &page))
			part.end = page;
		if (part.end > part.start)
			err = fn(arg, vma, &part);
		at = part.end;
		if (err || at == run->end)
			break;
		part = (struct page_run){ .start = at, .end = at + PAGE_SZ, .outcome = PAGES_WRITE };
		err = fn(arg, vma, &part);
		at = part.end;
	}
	return err;
}
