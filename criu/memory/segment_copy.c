// SPDX-License-Identifier: GPL-2.0-only
#include <compel/compel.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "memory/copy_room.h"
#include "memory/segment_copy.h"
#include "base/bits.h"
#include "base/cleanup.h"
#include "parasite_blob.h"
#include "pie/vma.h"
#include "run/dump.h"
#include "util/fds.h"
#include "util/log.h"

enum { COPY_SIZE = 1 << 20, WINDOW = 4096 /* pages */ };

/* After so much has been copied, is there room for as much again? */
#define ROOM_STEP (16ul << 20)

struct reading {
	const struct segment_piece *piece;
	struct compel_ctl *ctl;
	char *data; /* COPY_SIZE bytes */
	int mem, to; /* the memory of the process; the copy */
	uint64_t unchecked; /* bytes */
};

int segment_piece_add(struct dump *dump, struct segment_piece **pieces, const struct segment_piece *add)
{
	struct segment_piece *piece = *pieces;

	while (piece && (piece->from > add->from || piece->to < add->to))
		piece = piece->next;
	if (piece)
		return 0;
	piece = dump_alloc(dump, sizeof(*piece));
	if (!piece)
		return fail(-ENOMEM, "shared memory");
	*piece = *add;
	piece->next = *pieces;
	*pieces = piece;
	return 0;
}

/* The one that contains offset @at, or the next one. NULL: there is none. */
static const struct segment_piece *piece_at(const struct segment_piece *pieces, uint64_t at)
{
	const struct segment_piece *best = NULL;

	for (const struct segment_piece *p = pieces; p; p = p->next)
		if (p->to > at && (!best || p->from < best->from || (p->from <= at && p->to > best->to)))
			best = p;
	return best;
}

static bool is_zero(const char *data, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (data[i])
			return false;
	return true;
}

/* Pages of zeros remain holes. */
static int write_pages(int to, const char *data, size_t len, uint64_t at)
{
	int err = 0;

	for (size_t i = 0; !err && i < len; i += PAGE_SZ) {
		const size_t n = MIN_OF(len - i, (size_t)PAGE_SZ);

		if (!is_zero(data + i, n))
			err = pwrite_full(to, data + i, n, (off_t)(at + i));
	}
	return err;
}

static int copy_range_of(struct reading *r, uint64_t at, uint64_t end)
{
	int err = 0;

	while (!err && at < end) {
		const size_t len = MIN_OF(end - at, (uint64_t)COPY_SIZE);

		r->unchecked += len;
		if (r->unchecked > ROOM_STEP) {
			err = copy_room_check(ROOM_STEP);
			r->unchecked = 0;
		}
		if (!err)
			err = pread_exact(r->mem, r->data, len, (off_t)(r->piece->start + (at - r->piece->from)));
		if (!err)
			err = write_pages(r->to, r->data, len, at);
		at += len;
	}
	return err;
}

/*
 * Reading a hole of shared memory would allocate it, and count it for the process. mincore(2) there tells what is allocated;
 * but not of huge pages, which are allocated in advance anyway.
 */
static int copy_allocated(struct reading *r, uint64_t at, uint64_t end)
{
	int err = 0;

	while (!err && at < end) {
		const uint64_t stop = MIN_OF(end, at + (uint64_t)WINDOW * PAGE_SZ);
		const size_t n = (stop - at + PAGE_SZ - 1) / PAGE_SZ;
		const unsigned long args[6] = { r->piece->start + (at - r->piece->from), stop - at,
						compel_args_address(r->ctl) };
		unsigned char there[WINDOW];
		long value = 0;

		err = compel_syscall(r->ctl, SYS_mincore, args, &value);
		if (!err)
			err = value < 0 ? (int)value : compel_args_read(r->ctl, 0, there, n);
		for (size_t i = 0, to; !err && i < n; i = to + 1) {
			for (; i < n && !(there[i] & 1); i++)
				;
			for (to = i; to < n && there[to] & 1; to++)
				;
			err = copy_range_of(r, at + i * PAGE_SZ, MIN_OF(at + to * PAGE_SZ, stop));
		}
		at = stop;
	}
	return err;
}

/* Where the line in smaps is that begins with @start; a file name may contain anything but a newline. */
static const char *line_with(const char *text, const char *start)
{
	for (; text; text = strchr(text, '\n'), text = text ? text + 1 : NULL)
		if (str_has_prefix(text, start))
			return text;
	return NULL;
}

/* mincore(2) does not count what is swapped out. -EAGAIN: something is. */
static int check_not_swapped(const struct segment_piece *piece)
{
	_cleanup_buf_ struct buf text = { 0 };
	const char *line;
	char start[32];
	int err = proc_text(&piece->dt->proc, "smaps", &text);

	snprintf(start, sizeof(start), "%08lx-", (unsigned long)piece->start);
	if (!err)
		err = buf_add(&text, "", 1);
	line = err ? NULL : line_with(line_with(text.data, start), "Swap:");
	if (err || !line)
		return err ? err : -ENODATA;
	return strtoul(line + strlen("Swap:"), NULL, 10) ? -EAGAIN : 0;
}

static int copy_of_task(struct reading *r, uint64_t at, uint64_t end)
{
	int err, cured;

	if (r->piece->huge)
		return copy_range_of(r, at, end);
	err = check_not_swapped(r->piece);
	if (!err)
		err = compel_open(r->piece->dt->threads[0].id.host_tid, &r->ctl);
	if (err)
		return err;
	err = compel_infect(r->ctl, &parasite_blob, WINDOW);
	if (!err)
		err = copy_allocated(r, at, end);
	cured = compel_cure(r->ctl);
	err = err ? err : cured;
	return err ? err : check_not_swapped(r->piece);
}

static int copy_piece(const struct segment_piece *piece, uint64_t at, uint64_t end, int to)
{
	_cleanup_close_ int mem = open_at(piece->dt->proc.dir, "mem", O_RDONLY, 0);
	_cleanup_free_ char *data = malloc(COPY_SIZE);
	struct reading r = { .piece = piece, .mem = mem, .data = data, .to = to };
	int err = mem < 0 ? mem : data ? copy_of_task(&r, at, end) : -ENOMEM;

	if (err == -EAGAIN)
		return fail(
			err,
			"process %d: a part of the shared memory mapped at %lx is swapped out, and finding it %s: swap it "
			"in (swapoff), or run criu as root",
			piece->dt->t.host_pid, piece->start, rights_text(RIGHT_MAP_FILES));
	return err ? fail(err, "process %d: read the shared memory mapped at %lx", piece->dt->t.host_pid,
			  piece->start) :
		     0;
}

static int not_mapped(const struct segment_piece *piece, uint64_t from, uint64_t to)
{
	return fail(-EPERM,
		    "process %d: bytes %#lx to %#lx of the shared memory mapped at %lx are mapped by no process; "
		    "reading them %s: run criu as root",
		    piece->dt->t.host_pid, from, to, piece->start, rights_text(RIGHT_MAP_FILES));
}

/*
 * Can the page after the last one of the piece be read? In a second mapping of that one, which may be larger. 1, 0 or an
 * error.
 */
static int page_follows(struct compel_ctl *ctl, const struct segment_piece *piece, int mem)
{
	const unsigned long page = PAGE_SZ, last = piece->start + (piece->to - piece->from) - page;
	const unsigned long grow[6] = { last, 0, 2 * page, MREMAP_MAYMOVE };
	unsigned long unmap[6] = { 0, 2 * page };
	long value = 0;
	int err = compel_syscall(ctl, SYS_mremap, grow, &value), ret;
	char byte;

	if (err || (value < 0 && value > -4096))
		return err ? err : (int)value;
	unmap[0] = (unsigned long)value;
	ret = (int)pread(mem, &byte, 1, (off_t)(unmap[0] + page));
	if (ret < 0)
		ret = errno == EIO ? 0 : -errno;
	err = compel_syscall(ctl, SYS_munmap, unmap, &value);
	return err ? err : value ? (int)value : ret;
}

static int infected_page_follows(const struct segment_piece *piece)
{
	_cleanup_close_ int mem = open_at(piece->dt->proc.dir, "mem", O_RDONLY, 0);
	struct compel_ctl *ctl = NULL;
	int ret = mem < 0 ? mem : compel_open(piece->dt->threads[0].id.host_tid, &ctl), cured;

	if (ret < 0)
		return ret;
	ret = page_follows(ctl, piece, mem);
	cured = compel_cure(ctl);
	return cured < 0 ? cured : ret;
}

/* Mappings of huge pages cannot grow, so that nobody could see more of them. */
static int check_end(const struct segment_piece *pieces)
{
	const struct segment_piece *last = pieces;
	int ret;

	for (const struct segment_piece *p = pieces; p; p = p->next)
		if (p->to > last->to)
			last = p;
	ret = last->huge ? 0 : infected_page_follows(last);
	if (ret == -EPERM)
		return fail(
			ret,
			"process %d: the shared memory mapped at %lx is sealed (mseal), so that it cannot be found out whether "
			"there is more of it than processes have mapped; opening it %s: run criu as root",
			last->dt->t.host_pid, last->start, rights_text(RIGHT_MAP_FILES));
	if (ret > 0)
		return fail(
			-EPERM,
			"process %d: the shared memory mapped at %lx is larger than what processes have mapped of it; "
			"reading the rest %s: run criu as root",
			last->dt->t.host_pid, last->start, rights_text(RIGHT_MAP_FILES));
	return ret < 0 ? fail(ret, "process %d: find the end of the shared memory mapped at %lx", last->dt->t.host_pid,
			      last->start) :
			 0;
}

static int copy_all(const struct segment_piece *pieces, uint64_t size, int to)
{
	int err = 0;

	for (uint64_t at = 0; !err && at < size;) {
		const struct segment_piece *piece = piece_at(pieces, at);
		const uint64_t from = piece ? MIN_OF(MAX_OF(piece->from, at), size) : size;
		const uint64_t end = piece ? MIN_OF(piece->to, size) : size;

		if (from > at)
			err = not_mapped(piece ? piece : pieces, at, from);
		if (!err && from < end)
			err = copy_piece(piece, from, end, to);
		at = end;
	}
	return err;
}

int segment_copy(const struct segment_piece *pieces, uint64_t size)
{
	_cleanup_close_ int to = -1;
	const bool known = size;
	int err = known ? 0 : check_end(pieces);

	if (err)
		return err;
	to = memfd_create("criu", MFD_CLOEXEC);
	for (const struct segment_piece *p = pieces; p && !known; p = p->next)
		size = MAX_OF(size, p->to);
	if (to < 0 || ftruncate(to, (off_t)size) < 0)
		return fail(-errno, "a copy of %lu bytes of shared memory", size);
	err = copy_all(pieces, size, to);
	return err ? err : steal_fd(&to);
}
