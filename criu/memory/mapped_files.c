// SPDX-License-Identifier: GPL-2.0-only
#include "memory/mapped_files.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>
#include "pie/vma.h"
#include "run/limits.h"
#include "run/opener.h"
#include "run/user_ns.h"
#include "util/fds.h"
#include "util/log.h"
#include "util/proc_root.h"

static uint64_t key_of(uint64_t id, unsigned access)
{
	return id << 2 | access;
}

/* For a file whose mappings belong to its description. */
static int descriptor_itself(struct restore *r, struct file *file)
{
	bool borrowed;
	int fd = restore_borrow_fd(r, file, &borrowed), moved;

	if (fd < 0 || borrowed)
		return fd;
	moved = move_fd_above(fd, r->service_base);
	return moved < 0 ? fail(moved, "keep file %#x open", file->id) : moved;
}

/* Permission to read a file does not imply permission to write it. */
static int reopen_for_task(struct restore *r, const struct file *file, int fd, unsigned access)
{
	const struct audience *to = file->kind->by_name ? audience_of_task(r, r->process.task) : NULL;
	int again = to ? opener_enter(r, to->openers[0]) : 0;

	if (!again)
		again = proc_fd_open(fd, (int)access);
	opener_leave(r);
	return again;
}

/* One descriptor per file and access, however many mappings it has. */
int mapped_file(struct restore *r, const VmaEntry *v, int *ret_fd)
{
	unsigned want = v->has_fdflags ? v->fdflags & O_ACCMODE : O_RDONLY;
	uint64_t *slot, key = key_of(v->shmid, want);
	struct file *file = restore_file(r, v->shmid, "a mapping");
	_cleanup_close_ int fd = -1;
	int have, again;
	bool fresh;

	slot = hash_slot_of(&r->process.mapped_files, key, &fresh);
	if (!slot)
		return fail(-ENOMEM, "mappings");
	if (!fresh) {
		*ret_fd = *slot;
		return 0;
	}
	if (file->kind->maps_itself) {
		have = descriptor_itself(r, file);
		*ret_fd = *slot = have;
		return have < 0 ? have : 0;
	}
	fd = restore_open_file(r, file);
	if (fd < 0)
		return fd;
	have = fcntl(fd, F_GETFL);
	/* The entry may have been saved with a different access mode than this mapping needs. */
	if (have >= 0 && ((have & O_ACCMODE) != want || (have & O_PATH))) {
		again = reopen_for_task(r, file, fd, want);
		again = again < 0 ? again : move_fd_above(again, r->service_base);
		if (again < 0)
			return fail(again, "open the file mapped at %lx for %s", v->start,
				    want ? "writing" : "reading");
		close(steal_fd(&fd));
		fd = again;
	}
	*ret_fd = *slot = fd;
	steal_fd(&fd);
	return 0;
}

int mapped_executable(struct restore *r, const MmEntry *mm)
{
	uint64_t fd;

	if (hash_get(&r->process.mapped_files, key_of(mm->exe_file_id, O_RDONLY), &fd))
		return (int)fd;
	return restore_open_file(r, restore_file(r, mm->exe_file_id, "the executable"));
}

/*
 * Can all tasks use one descriptor? If their credentials differ, each of them has to be able to open its files by
 * itself (run/opener.h).
 */
static bool may_inherit(const struct restore *r)
{
	return !r->tool.untrusted && !audience_of_all(r) && !restore_enters_late(r);
}

int mapped_files_before_fork(struct restore *r, const struct restore_task *rt)
{
	int err = 0, fd;

	if (!may_inherit(r) || !rt->mm || !rt->forks)
		return 0;
	for (size_t i = 0; !err && i < rt->mm->n_vmas && r->process.mapped_files.n < INHERITED_FILES_MAX; i++) {
		const VmaEntry *v = rt->mm->vmas[i];
		/*
		 * Programs and libraries only: a descriptor for a mapping that is staged, and needs no file, would be
		 * closed when watches on it exist.
		 */
		const struct file *file = (v->status & (VMA_FILE_PRIVATE | VMA_FILE_SHARED)) && (v->prot & PROT_EXEC) ?
						  restore_file(r, v->shmid, "a mapping") :
						  NULL;

		/* Files that are opened by name are the same for every task. */
		if (file && file->kind->by_name && !file->kind->maps_itself && !file->kind->unplaced)
			err = mapped_file(r, v, &fd);
	}
	return err;
}
