// SPDX-License-Identifier: GPL-2.0-only
/* How much memory each task has, where it is, and the command line in it. */
#include "inspect/memory.h"
#include <errno.h>
#include <unistd.h>
#include "base/arch.h"
#include "base/bits.h"
#include "image/pagemap.h"
#include "image/reader.h"
#include "inspect/records.h"
#include "ipc-shm.pb-c.h"
#include "pagemap.pb-c.h"
#include "task/ns_ids.h"

#define COMMAND_MAX 4096
/* vma_entry.status of memory shared by mapping, and of System V segments */
#define VMA_SHARED_SEGMENT (BIT(8) | BIT(10))

static uint64_t bytes_of(const PagemapEntry *e)
{
	return (e->has_nr_pages ? e->nr_pages : e->compat_nr_pages) * PAGE_SZ;
}

static int count_pages(struct contents *c, enum image_type type, uint64_t id, enum need need,
		       struct shown_memory *memory)
{
	struct shown_records records;
	int err = contents_records(c, type, id, need, &records);

	/* The first record is another one: its number. */
	for (size_t i = 1; i < records.n; i++) {
		const PagemapEntry *e = (const PagemapEntry *)records.v[i];
		/* Without flags: the images of older programs, which have no other pages. */
		uint32_t flags = e->has_flags ? e->flags : e->in_parent ? PAGEMAP_PARENT : PAGEMAP_PRESENT;

		if (e->of_process)
			memory->of_others += bytes_of(e);
		else if (flags & PAGEMAP_PARENT)
			memory->in_parent += bytes_of(e);
		else if (flags & PAGEMAP_PRESENT)
			memory->saved += bytes_of(e);
		else
			memory->lazy += bytes_of(e);
	}
	return err;
}

/* Bytes of the task's memory; fewer if the images do not have all of them as they are (in blocks: compressed). */
static size_t read_bytes(struct contents *c, pid_t pid, uint64_t at, char *ret, size_t len)
{
	_cleanup_pagemap_ struct pagemap *map = NULL;
	size_t done = 0;

	if (pagemap_load(c->dir, IMAGE_PAGEMAP, (uint64_t)pid, &map))
		return 0;
	while (done < len) {
		const struct pagemap_run *run = pagemap_find(map, at + done);
		uint64_t from = at + done, left;
		ssize_t got;

		if (!run || run->vaddr > from || !(run->flags & PAGEMAP_PRESENT) || run->blocks)
			break;
		left = run->vaddr + run->nr_pages * PAGE_SZ - from;
		got = pread(pagemap_source(map, run), ret + done, MIN_OF(left, (uint64_t)(len - done)),
			    (off_t)(run->offset + from - run->vaddr));
		if (got <= 0)
			break;
		done += (size_t)got;
	}
	return done;
}

static int read_command(struct contents *c, struct shown_task *t)
{
	const MmEntry *mm = t->mm;
	char *text;
	size_t len;

	if (mm->mm_arg_end <= mm->mm_arg_start)
		return 0;
	len = MIN_OF(mm->mm_arg_end - mm->mm_arg_start, (uint64_t)COMMAND_MAX);
	text = arena_alloc(&c->arena, len + 1);
	if (!text)
		return -ENOMEM;
	len = read_bytes(c, t->pid, mm->mm_arg_start, text, len);
	while (len && !text[len - 1])
		len--;
	text[len] = 0;
	for (size_t i = 0; i < len; i++)
		if (!text[i])
			text[i] = ' ';
	t->command = len ? text : NULL;
	return 0;
}

/* Each counts once, whoever has it. */
static int count_segment(struct contents *c, uint64_t shmid, struct hash *seen)
{
	struct shown_memory memory = { 0 };
	bool fresh = false;
	int err;

	if (!hash_slot_of(seen, shmid, &fresh))
		return -ENOMEM;
	if (!fresh)
		return 0;
	err = count_pages(c, IMAGE_SHMEM_PAGEMAP, shmid, MAY_BE_MISSING, &memory);
	c->shared_memory += memory.saved;
	return err;
}

static int read_mapped(struct contents *c, const MmEntry *mm, struct hash *seen)
{
	int err = 0;

	for (size_t i = 0; !err && i < mm->n_vmas; i++)
		if (mm->vmas[i]->status & VMA_SHARED_SEGMENT)
			err = count_segment(c, mm->vmas[i]->shmid, seen);
	return err;
}

/* Segments of the task's IPC namespace, which need not be attached by anyone. */
static int read_ipc_namespace(struct contents *c, const struct shown_task *t, struct hash *namespaces,
			      struct hash *seen)
{
	uint32_t id = ns_ids_get(t->ids, NS_IPC);
	struct shown_records segments = { 0 };
	bool fresh = false;
	int err = 0;

	if (!hash_slot_of(namespaces, id, &fresh))
		return -ENOMEM;
	if (fresh)
		err = contents_records(c, IMAGE_IPCNS_SHM, id, MAY_BE_MISSING, &segments);
	for (size_t i = 0; !err && i < segments.n; i++)
		err = count_segment(c, ((const IpcShmEntry *)segments.v[i])->desc->id, seen);
	return err;
}

/* Also what no task has mapped. */
static int read_unmapped(struct contents *c, struct hash *seen)
{
	_cleanup_hash_ struct hash namespaces = { 0 };
	int err = 0;

	for (size_t i = 0; !err && i < c->nr_memfds; i++)
		err = count_segment(c, c->memfds[i]->shmid, seen);
	for (size_t i = 0; !err && i < c->nr_tasks; i++)
		if (c->tasks[i].ids)
			err = read_ipc_namespace(c, &c->tasks[i], &namespaces, seen);
	return err;
}

static int read_task(struct contents *c, struct shown_task *t, struct hash *seen)
{
	int err = contents_record(c, IMAGE_MM, (uint64_t)t->pid, MUST_EXIST, &t->mm);
	const FileEntry *exe;

	if (err || !t->mm)
		return err;
	exe = contents_file(c, t->mm->exe_file_id);
	t->exe = exe && exe->reg ? exe->reg->name : NULL;
	for (size_t i = 0; i < t->mm->n_vmas; i++)
		t->memory.mapped += t->mm->vmas[i]->end - t->mm->vmas[i]->start;
	err = count_pages(c, IMAGE_PAGEMAP, (uint64_t)t->pid, MUST_EXIST, &t->memory);
	if (!err)
		err = read_command(c, t);
	return err ? err : read_mapped(c, t->mm, seen);
}

int contents_read_memory(struct contents *c)
{
	_cleanup_hash_ struct hash seen = { 0 };
	int err = 0;

	for (size_t i = 0; !err && i < c->nr_tasks; i++) {
		struct shown_task *t = &c->tasks[i];

		if (t->ids && t->state != SHOWN_ZOMBIE && !t->memory_of)
			err = read_task(c, t, &seen);
	}
	return err ? err : read_unmapped(c, &seen);
}
