// SPDX-License-Identifier: GPL-2.0-only
/*
 * Before the tree is stopped: opens what reads kernel memory, which takes some ms, if the tree seems to be large enough. Nothing
 * else depends on how large it is now: it may change until it is stopped.
 */
#include <errno.h>
#include <string.h>
#include "dump/dump.h"
#include "kernel/pagemap_scan.h"
#include "run/dump.h"
#include "util/log.h"

/* Of all processes: with less, writing smaps takes the kernel no longer. */
#define WORTH_OPENING_KB (256ul << 10)

/* So many are looked at: each costs some 40 system calls, and what the others have is not worth those. */
#define LOOKS_MAX 32

struct size {
	size_t tasks, threads; /* threads: the most of one process */
	uint64_t rss_kb;
};

static bool has_many(const struct size *size)
{
	return size->tasks >= ALIKE_MIN || size->threads >= ALIKE_MIN_THREADS;
}

static bool has_much(const struct size *size)
{
	return size->rss_kb >= WORTH_OPENING_KB;
}

/* What cannot be read counts as nothing. */
static void measure_one(pid_t pid, struct size *size, struct pid_array *tree)
{
	_cleanup_proc_status_ struct proc_status status = { 0 };
	_cleanup_proc_ struct proc proc = PROC_CLOSED;

	if (proc_open(pid, &proc) || proc_status_read(&proc, &status))
		return;
	size->tasks++;
	size->threads = MAX_OF(size->threads, (size_t)status.threads);
	size->rss_kb += status.vm_rss_kb;
	proc_children(&proc, tree);
}

/* Not by recursion: the stack limits how deep a tree may be. */
static void measure(pid_t root, struct size *size)
{
	struct pid_array tree = { 0 };
	int err = array_add(&tree, root);

	for (size_t i = 0; !err && i < MIN_OF(tree.n, (size_t)LOOKS_MAX) && !(has_many(size) && has_much(size)); i++)
		measure_one(tree.v[i], size, &tree);
	array_free(&tree);
}

static void close_tasks(void *reader)
{
	kernel_tasks_close(reader);
}

int dump_open_kernel_tasks(struct dump *dump)
{
	struct kernel_tasks_reader *reader;
	int err = dump->kernel_tasks ? 0 : kernel_tasks_open(&reader);

	if (err || dump->kernel_tasks)
		return err;
	if (arena_defer(&dump->arena, close_tasks, reader)) {
		kernel_tasks_close(reader);
		return -ENOMEM;
	}
	dump->kernel_tasks = reader;
	return 0;
}

static void close_flags(void *reader)
{
	mapping_flags_close(reader);
}

static int open_flags(struct dump *dump)
{
	struct mapping_flags_reader *reader;
	int err = dump_open_kernel_tasks(dump);

	if (!err)
		err = mapping_flags_open(dump->kernel_tasks, &reader);
	if (err)
		return err;
	if (arena_defer(&dump->arena, close_flags, reader)) {
		mapping_flags_close(reader);
		return -ENOMEM;
	}
	dump->mapping_flags = reader;
	return 0;
}

/* smaps shows which mappings have huge pages, which is of use: does a scan of pages (Linux 6.7)? */
static bool scan_shows_huge_pages(void)
{
	_cleanup_page_scan_ struct page_scan scan = PAGE_SCAN_CLOSED;
	_cleanup_proc_ struct proc self = PROC_CLOSED;

	return !proc_open_self(&self) && !page_scan_open(&self, &scan) && scan.has_scan;
}

int dump_prepare_kernel_memory(struct dump *dump)
{
	const bool few_are_read = dump_is_pre_dump(dump) || dump->opts->parent_dir;
	struct size size = { 0 };
	int err;

	measure(dump->opts->pid, &size);
	if (few_are_read || (has_much(&size) && scan_shows_huge_pages())) {
		err = open_flags(dump);
		if (err)
			log_info("flags of mappings cannot be read from kernel memory (BPF): %s; smaps is read",
				 strerror(-err));
	}
	/* If that fails, it is tried again, and reported, when it is needed. */
	if (!dump_is_pre_dump(dump) && has_many(&size))
		dump_open_kernel_tasks(dump);
	return 0;
}
