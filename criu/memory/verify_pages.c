/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * By processes: threads of libc would leave traces in the tree that is forked later. They share the page cache with the restore, which
 * reads the same pages next.
 */
#include "memory/verify_pages.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/bits.h"
#include "base/cleanup.h"
#include "memory/block_reader.h"
#include "util/crc32c.h"
#include "util/fds.h"
#include "util/log.h"

enum { PIECE_PAGES = 64, WORKERS_MAX = 8 };

/* Less is verified before a process has started. */
#define WORTH_A_PROCESS ((16ul << 20) / PAGE_SZ)

struct verification {
	struct restore *r;
	const struct pagemap *map;
	const char *name;
	char *buffer;
	struct block_reader blocks;
};

static bool is_verified(const struct verification *v, const struct pagemap_run *run)
{
	/* Pages of another process are verified with its own, unless those are lazy. */
	if (run->of_process && !v->r->opts->lazy_pages && restore_find_task(v->r, (pid_t)run->of_process))
		return false;
	/* Those of parents are: many of them are loaded at once after all, like stacks, or where userfaultfd(2) is not permitted. */
	if (!(run->flags & PAGEMAP_PRESENT) || (v->r->opts->lazy_pages && run->flags & PAGEMAP_LAZY && !run->source))
		return false;
	return run->blocks ? v->r->check && run->blocks->has_sums : !!run->sums;
}

static int damaged(const struct verification *v, const struct pagemap_run *run, uint64_t page)
{
	char where[40];

	if (run->of_process)
		snprintf(where, sizeof(where), "the pages image of process %u", run->of_process);
	else if (run->source)
		snprintf(where, sizeof(where), "the pages image of parent %u", run->source);
	else
		snprintf(where, sizeof(where), "pages-%u.img", v->map->pages_id);
	log_error("%s is damaged: the page at %lx (%s) has another checksum", where, run->vaddr + page * PAGE_SZ,
		  v->name);
	return -EBADMSG;
}

/* Some pages of a run, which fit into the buffer. */
static int verify_piece(struct verification *v, const struct pagemap_run *run, uint64_t page, uint64_t n)
{
	int fd = pagemap_source(v->map, run), err;
	uint32_t sums[PIECE_PAGES];

	if (run->blocks) {
		const struct block_range range = { fd, run, run->vaddr + page * PAGE_SZ, n * PAGE_SZ };

		err = block_reader_read(&v->blocks, &range, v->buffer);
		return err == -EBADMSG ? damaged(v, run, page) : err ? fail(err, "%s: read pages", v->name) : 0;
	}
	err = pread_exact(fd, v->buffer, n * PAGE_SZ, (off_t)(run->offset + page * PAGE_SZ));
	if (err)
		return fail(err, "%s: read the page at %lx", v->name, run->vaddr + page * PAGE_SZ);
	crc32c_pages(v->buffer, n, sums);
	for (uint64_t i = 0; i < n; i++)
		if (sums[i] != run->sums[page + i])
			return damaged(v, run, page + i);
	return 0;
}

/* Pages @first to @last - 1 of those that are to be verified. */
static int verify_part(struct verification *v, uint64_t first, uint64_t last)
{
	uint64_t before = 0;
	int err = 0;

	v->buffer = malloc(PIECE_PAGES * PAGE_SZ);
	if (!v->buffer)
		return fail(-ENOMEM, "buffer for pages");
	for (size_t i = 0; !err && i < v->map->nr_runs && before < last; i++) {
		const struct pagemap_run *run = &v->map->runs[i];
		uint64_t at = MAX_OF(first, before) - before, end;

		if (!is_verified(v, run))
			continue;
		end = MIN_OF(run->nr_pages, last - before);
		for (uint64_t n; !err && at < end; at += n) {
			n = MIN_OF((uint64_t)PIECE_PAGES, end - at);
			err = verify_piece(v, run, at, n);
		}
		before += run->nr_pages;
	}
	free(v->buffer);
	block_reader_free(&v->blocks);
	return err;
}

static pid_t start_worker(struct verification *v, uint64_t first, uint64_t last, pid_t tool)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	_exit(getppid() != tool || verify_part(v, first, last) ? EXIT_FAILURE : EXIT_SUCCESS);
}

static int end_worker(pid_t pid, const char *name)
{
	int status;

	while (waitpid(pid, &status, __WALL) < 0)
		if (errno != EINTR)
			return fail(-errno, "%s: wait for a process that verifies pages", name);
	if (WIFSIGNALED(status))
		return fail(-EINTR, "%s: a process that verifies pages was killed by signal %d", name,
			    WTERMSIG(status));
	return WEXITSTATUS(status) ? -EBADMSG : 0; /* it has said why */
}

/* Each process has a part of the pages; what cannot be forked is done here. */
static int verify_by_all(struct verification *v, uint64_t pages, long n)
{
	pid_t workers[WORKERS_MAX];
	uint64_t first = pages / n;
	int err;

	for (long i = 1; i < n; i++)
		workers[i] = start_worker(v, pages * i / n, pages * (i + 1) / n, getpid());
	err = verify_part(v, 0, first);
	for (long i = 1; i < n; i++) {
		int failed = workers[i] > 0 ? end_worker(workers[i], v->name) :
			     err	    ? 0 :
					      verify_part(v, pages * i / n, pages * (i + 1) / n);

		err = err ? err : failed;
	}
	return err;
}

int pages_verify(struct restore *r, const struct pagemap *map, const char *name)
{
	struct verification v = { .r = r, .map = map, .name = name };
	uint64_t pages = 0;
	long cpus;

	for (size_t i = 0; i < map->nr_runs; i++)
		pages += is_verified(&v, &map->runs[i]) ? map->runs[i].nr_pages : 0;
	if (!pages)
		return 0;
	/* Of a check, errors are collected in this process. */
	if (r->check || pages < WORTH_A_PROCESS)
		return verify_part(&v, 0, pages);
	/* It opens a file, so not for each of many small processes. */
	cpus = sysconf(_SC_NPROCESSORS_ONLN);
	return cpus < 2 ? verify_part(&v, 0, pages) : verify_by_all(&v, pages, MIN_OF(cpus, (long)WORKERS_MAX));
}
