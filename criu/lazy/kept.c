// SPDX-License-Identifier: GPL-2.0-only
#include "lazy/kept.h"
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
#include "base/bits.h"
#include "lazy/fetcher.h"
#include "lazy/report.h"
#include "util/fds.h"
#include "util/log.h"

#define MORE (256ul << 10) /* is fetched at once without a request: whoever has one then waits no longer */
#define FILE_NAME "lazy-pages.tmp"

struct kept {
	struct lazy_daemon *d;
	/* As the images have it, nothing moves: what is missing in them is not in the file yet. Page N of a space is at its offset. */
	struct lazy_space *spaces;
	int file;
	struct fetcher fetcher;
	uint64_t missing; /* pages at the source that are not in the file */
	struct fetch asked; /* that has not been answered; len 0: nothing */
	bool lost;
};

static struct lazy_space *find_space(const struct kept *kept, pid_t pid, uint64_t *ret_base)
{
	*ret_base = 0;
	for (struct lazy_space *s = kept->spaces; s; s = s->next) {
		if (s->pid == pid)
			return s;
		*ret_base += s->bits * PAGE_SZ;
	}
	return NULL;
}

/* The range of a page that is at the source; NULL: there is none. */
static struct lazy_range *find(const struct kept *kept, pid_t pid, uint64_t vaddr, struct lazy_space **ret_space,
			       uint64_t *ret_at)
{
	struct lazy_space *space = find_space(kept, pid, ret_at);
	struct lazy_range *range = space ? space_find(space, vaddr) : NULL;

	*ret_space = space;
	if (!range || range->fd >= 0)
		return NULL;
	*ret_at += range->bit * PAGE_SZ + (vaddr - range->start);
	return range;
}

uint64_t kept_find(const struct kept *kept, pid_t pid, uint64_t vaddr, uint64_t len, uint64_t *ret_at)
{
	struct lazy_space *space;
	const struct lazy_range *range = find(kept, pid, vaddr, &space, ret_at);

	return range ? space_stretch(space, range, vaddr, MIN_OF(len, range->end - vaddr), false) : 0;
}

static void lose(struct kept *kept)
{
	kept->lost = true;
	kept->asked.len = 0;
	lazy_log(kept->d);
	log_error(
		"lazy pages: %lu pages are still at the source: restores that need one fail, and no other is accepted",
		kept->missing);
	fetcher_end(&kept->fetcher);
}

static int ask(struct kept *kept, const struct fetch *what)
{
	int err = fetcher_ask(&kept->fetcher, what);

	if (err) {
		lose(kept);
		return err;
	}
	kept->asked = *what;
	return 0;
}

int kept_ask(struct kept *kept, pid_t pid, uint64_t vaddr, uint64_t len)
{
	struct fetch what = { .pid = pid, .vaddr = vaddr };
	struct lazy_space *space;
	const struct lazy_range *range = find(kept, pid, vaddr, &space, &what.at);

	if (!range || !len || vaddr % PAGE_SZ)
		return fail(-EPROTO, "the source has no page at %lx of process %d", vaddr, pid);
	if (kept->lost)
		return fail(-ECONNRESET, "the page at %lx of process %d is at the source, which is lost", vaddr, pid);
	what.len = space_stretch(space, range, vaddr, MIN_OF(MIN_OF(len, LAZY_CHUNK), range->end - vaddr), true);
	return ask(kept, &what);
}

bool kept_is_asking(const struct kept *kept)
{
	return kept->asked.len;
}

void kept_answer(struct kept *kept)
{
	const int64_t got = fetcher_answer(&kept->fetcher);
	const struct fetch asked = kept->asked;
	struct lazy_space *space;
	const struct lazy_range *range;
	uint64_t at, before;

	if (got <= 0 || (uint64_t)got > asked.len)
		return lose(kept);
	kept->asked.len = 0;
	range = find(kept, asked.pid, asked.vaddr, &space, &at);
	before = space->missing;
	space_supplied(space, range, asked.vaddr, (uint64_t)got);
	kept->missing -= before - space->missing;
	if (kept->missing)
		return;
	log_info("lazy pages: all pages of the source are here");
	fetcher_complete(&kept->fetcher);
}

void kept_ask_more(struct kept *kept)
{
	for (struct lazy_space *s = kept->lost || !kept->missing ? NULL : kept->spaces; s; s = s->next)
		for (; s->cursor < s->n; s->cursor++) {
			const struct lazy_range *range = &s->v[s->cursor];
			uint64_t len = range->end - range->start, skip;

			skip = range->fd < 0 ? space_stretch(s, range, range->start, len, false) : len;
			if (skip == len)
				continue;
			kept_ask(kept, s->pid, range->start + skip, MIN_OF(MORE, len - skip));
			return;
		}
}

bool kept_is_lost(const struct kept *kept)
{
	return kept && kept->lost;
}

int kept_file(const struct kept *kept)
{
	return kept->file;
}

int kept_watch(const struct kept *kept)
{
	return kept->missing ? kept->fetcher.sock : -1;
}

/* Some file systems have no files without a name. */
static int new_file(int dir)
{
	int fd = open_at(dir, ".", O_RDWR | O_TMPFILE, 0600);

	if (fd >= 0)
		return fd;
	fd = open_at(dir, FILE_NAME, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
	if (fd >= 0)
		unlinkat(dir, FILE_NAME, 0);
	return fd;
}

/* So that it does not run out of space when it is too late. */
static int reserve(const struct kept *kept, uint64_t *ret_size)
{
	*ret_size = 0;
	for (const struct lazy_space *s = kept->spaces; s; s = s->next) {
		for (size_t i = 0; i < s->n; i++) {
			const struct lazy_range *r = &s->v[i];

			if (r->fd < 0 && fallocate(kept->file, 0, (off_t)(*ret_size + r->bit * PAGE_SZ),
						   (off_t)(r->end - r->start)) < 0)
				return errno == EOPNOTSUPP || errno == ENOSYS ? 0 : -errno;
		}
		*ret_size += s->bits * PAGE_SZ;
	}
	return 0;
}

/* A copy: those of @d are for the restores. */
static int copy_spaces(struct kept *kept)
{
	struct lazy_space **end = &kept->spaces;

	for (const struct lazy_space *s = kept->d->spaces; s; s = s->next) {
		*end = space_fork(s, -1);
		if (!*end)
			return -ENOMEM;
		for (size_t i = 0; i < s->n; i++)
			if (s->v[i].fd < 0)
				kept->missing += (s->v[i].end - s->v[i].start) / PAGE_SZ;
		end = &(*end)->next;
	}
	return 0;
}

int kept_begin(struct lazy_daemon *d, struct kept **ret)
{
	struct kept *kept = calloc(1, sizeof(*kept));
	uint64_t size;
	int err;

	if (!kept)
		return fail(-ENOMEM, "lazy pages");
	*ret = kept;
	kept->d = d;
	kept->file = -1;
	kept->fetcher = (struct fetcher){ .process = HELPER_NONE, .sock = -1 };
	err = copy_spaces(kept);
	if (err)
		return fail(err, "lazy pages");
	kept->file = new_file(d->work_dir);
	if (kept->file < 0)
		return fail(kept->file, "a file in the work directory, for pages of the source");
	err = reserve(kept, &size);
	if (err)
		return fail(err,
			    "reserve space in the work directory for %lu pages of the source (--restores keeps them)",
			    kept->missing);
	return fetcher_start(d, kept->file, &kept->fetcher);
}

void kept_end(struct kept *kept, bool complete)
{
	if (!kept)
		return;
	if (kept->asked.len && complete && fetcher_await_answer(&kept->fetcher))
		kept_answer(kept);
	if (kept->missing && complete && !kept->lost && !kept->asked.len)
		fetcher_complete(&kept->fetcher);
	fetcher_end(&kept->fetcher);
	while (kept->spaces) {
		struct lazy_space *next = kept->spaces->next;

		space_free(kept->spaces);
		kept->spaces = next;
	}
	if (kept->file >= 0)
		close(kept->file);
	free(kept);
}
