// SPDX-License-Identifier: GPL-2.0-only
/* Files and descriptors. */
#include "inspect/files.h"
#include <errno.h>
#include "base/bits.h"
#include "inspect/records.h"
#include "tty.pb-c.h"

static const void *find(const struct record_finder *finder, enum image_type type, uint64_t id)
{
	const struct contents *c = container_of(finder, const struct contents, finder);

	switch (type) {
	case IMAGE_FILES:
		return hash_get_ptr(&c->file_by_id, id);
	case IMAGE_TTY_INFO:
		return hash_get_ptr(&c->tty_by_id, id);
	case IMAGE_MEMFD_INODE:
		return hash_get_ptr(&c->memfd_by_id, id);
	default:
		return NULL;
	}
}

int contents_read_files(struct contents *c)
{
	struct shown_records records, ttys = { 0 }, memfds = { 0 };
	int err = contents_records(c, IMAGE_FILES, 0, c->inventory ? MUST_EXIST : MAY_BE_MISSING, &records);

	if (!err)
		err = contents_records(c, IMAGE_TTY_INFO, 0, MAY_BE_MISSING, &ttys);
	if (!err)
		err = contents_records(c, IMAGE_MEMFD_INODE, 0, MAY_BE_MISSING, &memfds);
	c->finder.find = find;
	c->files = (FileEntry **)records.v;
	c->nr_files = records.n;
	c->memfds = (MemfdInodeEntry **)memfds.v;
	c->nr_memfds = memfds.n;
	for (size_t i = 0; !err && i < records.n; i++)
		err = hash_put_ptr(&c->file_by_id, c->files[i]->id, c->files[i]);
	for (size_t i = 0; !err && i < ttys.n; i++)
		err = hash_put_ptr(&c->tty_by_id, ((TtyInfoEntry *)ttys.v[i])->id, ttys.v[i]);
	for (size_t i = 0; !err && i < memfds.n; i++)
		err = hash_put_ptr(&c->memfd_by_id, c->memfds[i]->inode_id, c->memfds[i]);
	return err;
}

static int by_number(const void *a, const void *b)
{
	const struct shown_fd *x = a, *y = b;

	return (x->fd > y->fd) - (x->fd < y->fd);
}

static int read_table(struct contents *c, struct shown_task *t)
{
	struct shown_records records;
	int err = contents_records(c, IMAGE_FDINFO, t->ids->files_id, MUST_EXIST, &records);

	for (size_t i = 0; !err && i < records.n; i++) {
		const FdinfoEntry *e = (const FdinfoEntry *)records.v[i];
		const struct shown_fd fd = { .fd = (int)e->fd,
					     .cloexec = e->flags & 1,
					     .file = contents_file(c, e->id) };

		err = array_add(&t->fds, fd);
		if (!err && !fd.file)
			err = contents_problem(c, "files.img has no file %#x, which is descriptor %u of process %d",
					       e->id, e->fd, t->pid);
	}
	array_sort(&t->fds, by_number);
	return err;
}

static const char *path_of(const struct contents *c, uint32_t id)
{
	const FileEntry *file = contents_file(c, id);

	return file && file->reg ? file->reg->name : NULL;
}

static int read_places(struct contents *c, struct shown_task *t)
{
	const FsEntry *fs = NULL;
	int err = contents_record(c, IMAGE_FS, (uint64_t)t->pid, MUST_EXIST, &fs);

	if (fs) {
		t->cwd = path_of(c, fs->cwd_id);
		t->root = path_of(c, fs->root_id);
	}
	return err;
}

int contents_read_fds(struct contents *c)
{
	int err = 0;

	for (size_t i = 0; !err && i < c->nr_tasks; i++) {
		struct shown_task *t = &c->tasks[i];

		if (!t->ids || t->state == SHOWN_ZOMBIE)
			continue;
		err = read_places(c, t);
		if (!err && !t->files_of)
			err = read_table(c, t);
	}
	return err;
}
