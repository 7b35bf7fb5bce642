/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Shared anonymous mappings and SysV segments are found at dump. The former are recreated before the tree is forked, the
 * latter by sysv.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <unistd.h>
#include "memory/dump_memory.h"
#include "memory/memory.h"
#include "memory/segment_copy.h"
#include "memory/segments.h"
#include "memory/shmem.h"
#include "memory/sysv.h"
#include "pie/vma.h"
#include "run/opener.h"
#include "run/outside.h"
#include "util/fds.h"
#include "util/log.h"
#include "util/proc_root.h"

/* ---- dump ---- */

struct segment {
	struct segment *next;
	uint64_t id;
	struct dump_task *dt; /* a task that maps it, and where; NULL: it is open by a descriptor */
	struct segment_piece *pieces; /* without RIGHT_MAP_FILES: where tasks have mapped it */
	char name[MAP_FILES_NAME];
	int fd; /* our own, without dt */
	bool sysv;
	const struct ns
		*ns; /* of a SysV segment: an IPC namespace that is not the tool's, whose kind saves its record */
	uint64_t size; /* with ns */
	uint64_t mapped; /* where the last mapping ends */
	uint32_t huge; /* MAP_HUGETLB and the page size */
};

#define SAME_ID                                                                                                     \
	"SysV segments with the same id %d are in several IPC namespaces of the tree: not implemented; remove one " \
	"(ipcrm -m)"

static uint64_t seen_key(uint64_t id, bool sysv)
{
	return id << 1 | sysv;
}

/* NULL in *ret: it is known already. */
static int segment_new(struct dump *dump, uint64_t id, bool sysv, uint32_t huge, struct segment **ret)
{
	struct segment *seg;
	uint64_t *slot;
	bool fresh;

	*ret = NULL;
	slot = hash_slot_of(&dump->memory->segments, seen_key(id, sysv), &fresh);
	if (!slot)
		return fail(-ENOMEM, "shared memory");
	if (!fresh)
		return 0;
	seg = dump_alloc(dump, sizeof(*seg));
	if (!seg)
		return fail(-ENOMEM, "shared memory");
	*seg = (struct segment){ .next = dump->memory->first_segment, .id = id, .sysv = sysv, .huge = huge, .fd = -1 };
	dump->memory->first_segment = *ret = seg;
	*slot = (uintptr_t)seg;
	return 0;
}

static struct segment *find_sysv(const struct dump *dump, uint64_t id)
{
	return hash_get_ptr(&dump->memory->segments, seen_key(id, true));
}

static int note_mapping(struct dump *dump, struct dump_task *dt, const struct kernel_vma *v, const VmaEntry *e)
{
	struct segment *seg = hash_get_ptr(&dump->memory->segments, seen_key(e->shmid, e->status & VMA_SYSV));

	if (seg)
		seg->mapped = MAX_OF(seg->mapped, v->pgoff + (v->end - v->start));
	if (!seg || !seg->dt || rights_may(&dump->rights, RIGHT_MAP_FILES))
		return 0;
	if ((e->flags & MAP_HUGETLB) && (e->flags & MAP_NORESERVE)) {
		dump_blocker(
			dump, dt, -1,
			"mapping %lx-%lx: shared memory of huge pages that are not reserved (MAP_NORESERVE), where reading would "
			"allocate them; opening it %s: unmap it, or run criu as root",
			v->start, v->end, rights_text(RIGHT_MAP_FILES));
		return 0;
	}
	return segment_piece_add(dump, &seg->pieces,
				 &(struct segment_piece){ .dt = dt,
							  .start = v->start,
							  .from = v->pgoff,
							  .to = v->pgoff + (v->end - v->start),
							  .huge = e->flags & MAP_HUGETLB });
}

int shmem_note(struct dump *dump, struct dump_task *dt, const struct kernel_vma *v, const VmaEntry *e)
{
	struct segment *seg;
	int err = segment_new(dump, e->shmid, e->status & VMA_SYSV, e->flags & SHMEM_HUGE_BITS, &seg);

	if (!err && !seg && (e->status & VMA_SYSV) && find_sysv(dump, e->shmid)->ns)
		dump_blocker(dump, dt, -1, SAME_ID, (int)e->shmid);
	if (err || !seg)
		return err ? err : note_mapping(dump, dt, v, e);
	/* One that the tree owns has been noted with its namespace. */
	if ((e->status & VMA_SYSV) && dump->inside)
		dump_blocker(
			dump, dt, -1,
			"SysV segment %u is attached at %lx, and its IPC namespace does not belong to the user namespace of the process: that is not supported, detach it (shmdt)",
			(unsigned)e->shmid, v->start);
	seg->dt = dt;
	map_files_name(v, seg->name);
	return note_mapping(dump, dt, v, e);
}

int shmem_note_of_ns(struct dump *dump, const struct ns *ns, const struct ns_segment *what)
{
	struct segment *seg;
	int err = segment_new(dump, (uint64_t)what->id, true, what->huge, &seg);

	if (err)
		return err;
	if (!seg) {
		dump_blocker(dump, dump_task_of(ns->member), -1, SAME_ID, what->id);
		return 0;
	}
	seg->ns = ns;
	seg->size = what->size;
	seg->fd = what->fd < 0 ? -1 : fcntl(what->fd, F_DUPFD_CLOEXEC, 0);
	return what->fd >= 0 && seg->fd < 0 ? fail(-errno, "System V segment %d", what->id) : 0;
}

/*
 * The inode numbers of segments of two namespaces may be the same, and hugetlbfs has no file handles with generations:
 * whether a lock that is set on one of them is found on the other one. An offset that no program uses.
 */
static int same_inode(int a, int b)
{
	struct flock lock = { .l_type = F_RDLCK, .l_start = INT64_MAX - getpid(), .l_len = 1 }, found = lock;

	if (fcntl(b, F_OFD_SETLK, &lock) < 0)
		return -errno;
	found.l_type = F_WRLCK;
	if (fcntl(a, F_OFD_GETLK, &found) < 0)
		return -errno;
	lock.l_type = F_UNLCK;
	if (fcntl(b, F_OFD_SETLK, &lock) < 0)
		return -errno;
	return found.l_type == F_RDLCK && found.l_start == lock.l_start && found.l_len == 1;
}

int shmem_check_ns(struct dump *dump, struct dump_task *dt, const struct kernel_vma *v)
{
	const struct segment *seg = find_sysv(dump, v->ino);
	_cleanup_close_ int fd = -1;
	char name[MAP_FILES_NAME];
	int same = 0;

	if (seg && seg->ns == dt->ns[NS_IPC] && !rights_may(&dump->rights, RIGHT_MAP_FILES)) {
		dump_blocker(
			dump, dt, -1,
			"SysV segment %lu is attached at %lx, and that it is the one of the IPC namespace of the process can only "
			"be told through map_files, which %s: detach it (shmdt), or run criu as root",
			v->ino, v->start, rights_text(RIGHT_MAP_FILES));
		return 0;
	}
	if (seg && seg->ns == dt->ns[NS_IPC]) {
		map_files_name(v, name);
		fd = open_fmt(dt->proc.dir, O_RDONLY, "map_files/%s", name);
		same = fd < 0 ? fd : same_inode(fd, seg->fd);
	}
	if (same < 0)
		return fail(same, "identify SysV segment %lu, attached at %lx", v->ino, v->start);
	if (!same)
		dump_blocker(
			dump, dt, -1,
			"SysV segment %lu is attached at %lx, and is in another IPC namespace than the process: detach it (shmdt)",
			v->ino, v->start);
	return 0;
}

int shmem_note_sysv(struct dump *dump, int local, const struct stat *st, uint32_t huge_flags)
{
	struct segment *seg;
	struct shmid_ds ds;
	int err;

	if (shmctl((int)st->st_ino, IPC_STAT, &ds) < 0)
		return -ESRCH;
	err = segment_new(dump, st->st_ino, true, huge_flags & SHMEM_HUGE_BITS, &seg);
	if (err || !seg)
		return err;
	seg->fd = fcntl(local, F_DUPFD_CLOEXEC, 0);
	return seg->fd < 0 ? fail(-errno, "SysV segment %lu", st->st_ino) : 0;
}

static int save_sysv(struct dump *dump, const struct segment *seg, uint64_t *ret_size)
{
	struct image_writer *img;
	struct shmid_ds ds;
	int err;

	if (shmctl((int)seg->id, IPC_STAT, &ds) < 0)
		return fail(-errno, "query SysV segment %lu", seg->id);
	*ret_size = ds.shm_segsz;
	err = dump_shared_image(dump, IMAGE_IPCNS_SHM, &img);
	return err < 0 ? fail(err, "%s", image_store_error(dump->dir)) :
			 sysv_write(dump, img, (int)seg->id, &ds, seg->huge);
}

static int copy_segment(const struct segment *seg)
{
	struct shmid_ds ds = { .shm_segsz = 0 };

	if (seg->sysv && shmctl((int)seg->id, IPC_STAT, &ds) < 0)
		return fail(-errno, "query SysV segment %lu", seg->id);
	return segment_copy(seg->pieces, ds.shm_segsz);
}

static int open_segment(const struct segment *seg)
{
	int fd;

	if (seg->pieces)
		return copy_segment(seg);
	fd = seg->dt ? open_fmt(seg->dt->proc.dir, O_RDONLY, "map_files/%s", seg->name) :
		       proc_fd_open(seg->fd, O_RDONLY);
	return fd < 0 ? fail(fd, "open shared memory %lu", seg->id) : fd;
}

void segments_close(struct memory_dump *memory)
{
	for (struct segment *seg = memory->first_segment; seg; seg = seg->next)
		if (seg->fd >= 0)
			close(seg->fd);
}

/* How large one is that is larger than its mappings: its last page tells a restore (memory_load()). */
static unsigned zeros_to_keep(const struct segment *seg, uint64_t size)
{
	return (seg->huge ? SHMEM_KEEP_ZEROS : 0) | (!seg->sysv && size > seg->mapped ? SHMEM_KEEP_LAST : 0);
}

static int save_shared(struct dump *dump)
{
	for (struct segment *seg = dump->memory->first_segment; seg; seg = seg->next) {
		/* What runs is not copied. */
		if (seg->pieces && dump_is_check(dump))
			continue;

		_cleanup_close_ int fd = open_segment(seg);
		struct stat st;
		uint64_t size;
		int err = 0;

		if (fd < 0)
			return fd;
		if (fstat(fd, &st) < 0)
			return fail(-errno, "fstat");
		size = st.st_size;
		if (seg->ns)
			size = seg->size;
		else if (seg->sysv)
			err = save_sysv(dump, seg, &size);
		if (!err)
			err = shmem_save(dump, fd, size, seg->id, zeros_to_keep(seg, size));
		if (err)
			return err;
	}
	return 0;
}

/* ---- restore ---- */

/* Largest end of each segment that any VMA maps: its minimum size. Its image may tell of more. */
static int note_needed(struct restore *r)
{
	struct restore_task *rt;

	restore_for_each_task(rt, r) {
		for (size_t i = 0; rt->mm && i < rt->mm->n_vmas; i++) {
			const VmaEntry *vma = rt->mm->vmas[i];
			uint64_t end = vma->pgoff + (vma->end - vma->start), *slot;
			bool fresh;

			if (!(vma->status & VMA_ANON_SHARED) || (vma->status & VMA_SYSV))
				continue;
			slot = hash_slot_of(&r->plan.segment_sizes, segment_key(vma->shmid, false), &fresh);
			if (!slot)
				return fail(-ENOMEM, "shared memory");
			*slot = MAX_OF(*slot, end);
			if (hash_put(&r->plan.segments_wanted, segment_key(vma->shmid, false),
				     vma->flags & SHMEM_HUGE_BITS))
				return fail(-ENOMEM, "shared memory");
		}
	}
	return 0;
}

/*
 * Only through map_files a fresh shared anonymous mapping can be opened so that tasks see "/dev/zero (deleted)" as
 * before.
 */
static int make_anonymous(struct restore *r, uint64_t shmid, uint64_t size, uint32_t huge, int *ret_fd)
{
	_cleanup_close_ int fd = -1;
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | (int)huge, -1, 0);
	int err;

	if (p == MAP_FAILED)
		return huge ? shmem_no_huge_pages(errno, size, huge) : fail(-errno, "%lu bytes of shared memory", size);
	fd = restore_open_mapping(r, p, size);
	munmap(p, size);
	if (fd == -EPERM || fd == -EACCES) {
		log_info("map_files cannot be opened (permission): shared memory will be named /memfd:dev/zero");
		fd = memfd_create(huge ? "anon_hugepage" : "dev/zero",
				  MFD_CLOEXEC | (huge ? MFD_HUGETLB | (huge & ~MAP_HUGETLB) : 0));
		if (fd >= 0 && ftruncate(fd, size) < 0)
			return fail(-errno, "%lu bytes of shared memory", size);
	}
	if (fd < 0)
		return fail(fd, "open shared memory");
	err = shmem_fill(r, shmid, fd);
	if (err)
		return err;
	*ret_fd = move_fd_above(fd, r->service_base);
	if (*ret_fd < 0)
		return fail(*ret_fd, "keep shared memory %lu", shmid);
	steal_fd(&fd);
	return 0;
}

static int make_segments(struct restore *r)
{
	const struct hash_slot *slot;
	size_t iter = 0, n = 0;
	int err = note_needed(r);

	while (!err && (slot = hash_next(&r->plan.segments_wanted, &iter))) {
		uint64_t size = 0;
		int fd = -1;

		if (slot->key >> 32)
			continue;
		hash_get(&r->plan.segment_sizes, slot->key, &size);
		n++;
		err = make_anonymous(r, slot->key, ROUND_UP(size, shmem_page_size(slot->value)), slot->value, &fd);
		if (!err)
			err = hash_put(&r->segment_fds, slot->key, fd);
	}
	if (n && !err && !rights_may(&r->tool.rights, RIGHT_MAP_FILES))
		log_warn(
			"%zu shared anonymous mappings are called /memfd:dev/zero in the memory maps of the processes, not "
			"/dev/zero: making them by their own name %s",
			n, rights_text(RIGHT_MAP_FILES));
	return err;
}

const struct run_kind segments_run = {
	.name = "shared memory",
	.save = save_shared,
	.in_namespaces = make_segments,
};
