/* SPDX-License-Identifier: GPL-2.0-only */
/* Shared anonymous mappings and SysV segments: found at dump, and recreated before the tree is forked. */
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
#include "ipc-shm.pb-c.h"
#include "memory/dump_memory.h"
#include "memory/memory.h"
#include "memory/segments.h"
#include "memory/shmem.h"
#include "pie/vma.h"
#include "run/ipc_ns.h"
#include "run/opener.h"
#include "util/fds.h"
#include "util/log.h"
#include "util/proc_root.h"

/* ---- dump ---- */

struct segment {
	struct segment *next;
	uint64_t id;
	struct dump_task *dt; /* a task that maps it, and where; NULL: it is open by a descriptor */
	char name[MAP_FILES_NAME];
	int fd; /* our own, without dt */
	bool sysv;
	const struct ns
		*ns; /* of a SysV segment: an IPC namespace that is not the tool's, whose kind saves its record */
	uint64_t size; /* with ns */
	uint32_t huge; /* MAP_HUGETLB and the page size */
};

#define SAME_ID                                                                                                     \
	"SysV segments with the same id %d are in several IPC namespaces of the tree: not implemented; remove one " \
	"(ipcrm -m)"

#define HUGE_SIZE_BITS ((uint32_t)MAP_HUGE_MASK << MAP_HUGE_SHIFT)
#define HUGE_BITS (MAP_HUGETLB | HUGE_SIZE_BITS)

/* NULL in *ret: it is known already. */
static int segment_new(struct dump *dump, uint64_t id, bool sysv, uint32_t huge, struct segment **ret)
{
	struct segment *seg;
	bool fresh;

	*ret = NULL;
	if (!hash_slot_of(&dump->memory->segments_seen, id << 1 | sysv, &fresh))
		return fail(-ENOMEM, "shared memory");
	if (!fresh)
		return 0;
	seg = dump_alloc(dump, sizeof(*seg));
	if (!seg)
		return fail(-ENOMEM, "shared memory");
	*seg = (struct segment){ .next = dump->memory->segments, .id = id, .sysv = sysv, .huge = huge, .fd = -1 };
	dump->memory->segments = *ret = seg;
	return 0;
}

static struct segment *find_sysv(struct dump *dump, uint64_t id)
{
	struct segment *seg = dump->memory->segments;

	while (seg && !(seg->sysv && seg->id == id))
		seg = seg->next;
	return seg;
}

int shmem_note(struct dump *dump, struct dump_task *dt, const struct kernel_vma *v, const VmaEntry *e)
{
	struct segment *seg;
	int err = segment_new(dump, e->shmid, e->status & VMA_SYSV, e->flags & HUGE_BITS, &seg);

	if (!err && !seg && (e->status & VMA_SYSV) && find_sysv(dump, e->shmid)->ns)
		dump_blocker(dump, dt, -1, SAME_ID, (int)e->shmid);
	if (err || !seg)
		return err;
	seg->dt = dt;
	map_files_name(v, seg->name);
	return 0;
}

int shmem_note_of_ns(struct dump *dump, const struct ns *ns, int id, uint64_t size, int fd)
{
	struct segment *seg;
	int err = segment_new(dump, (uint64_t)id, true, 0, &seg);

	if (err)
		return err;
	if (!seg) {
		dump_blocker(dump, dump_task_of(ns->member), -1, SAME_ID, id);
		return 0;
	}
	seg->ns = ns;
	seg->size = size;
	seg->fd = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 0);
	return fd >= 0 && seg->fd < 0 ? fail(-errno, "SysV segment %d", id) : 0;
}

/* The inode numbers of segments of two namespaces may be the same, their generations are not. */
static int same_inode(int a, int b)
{
	struct {
		struct file_handle h;
		unsigned char bytes[MAX_HANDLE_SZ];
	} of[2] = { { .h.handle_bytes = MAX_HANDLE_SZ }, { .h.handle_bytes = MAX_HANDLE_SZ } };
	int mount;

	if (name_to_handle_at(a, "", &of[0].h, &mount, AT_EMPTY_PATH) < 0 ||
	    name_to_handle_at(b, "", &of[1].h, &mount, AT_EMPTY_PATH) < 0)
		return -errno;
	return of[0].h.handle_bytes == of[1].h.handle_bytes && of[0].h.handle_type == of[1].h.handle_type &&
	       !memcmp(of[0].bytes, of[1].bytes, of[0].h.handle_bytes);
}

int shmem_check_ns(struct dump *dump, struct dump_task *dt, const struct kernel_vma *v)
{
	const struct segment *seg = find_sysv(dump, v->ino);
	_cleanup_close_ int fd = -1;
	char name[MAP_FILES_NAME];
	int same = 0;

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
	err = segment_new(dump, st->st_ino, true, huge_flags & HUGE_BITS, &seg);
	if (err || !seg)
		return err;
	seg->fd = fcntl(local, F_DUPFD_CLOEXEC, 0);
	return seg->fd < 0 ? fail(-errno, "SysV segment %lu", st->st_ino) : 0;
}

static int save_sysv(struct dump *dump, const struct segment *seg, uint64_t *ret_size)
{
	IpcShmEntry entry = IPC_SHM_ENTRY__INIT;
	IpcDescEntry desc = IPC_DESC_ENTRY__INIT;
	struct image_writer *img;
	struct shmid_ds ds;
	int err;

	if (shmctl(seg->id, IPC_STAT, &ds) < 0)
		return fail(-errno, "query SysV segment %lu", seg->id);
	desc.key = ds.shm_perm.__key;
	desc.id = seg->id;
	desc.uid = dump_uid_of(dump, ds.shm_perm.uid);
	desc.gid = dump_gid_of(dump, ds.shm_perm.gid);
	desc.cuid = dump_uid_of(dump, ds.shm_perm.cuid);
	desc.cgid = dump_gid_of(dump, ds.shm_perm.cgid);
	desc.mode = ds.shm_perm.mode;
	entry.desc = &desc;
	entry.size = ds.shm_segsz;
	entry.has_in_pagemaps = entry.in_pagemaps = 1;
	entry.has_hugetlb_flag = seg->huge != 0;
	entry.hugetlb_flag = seg->huge ? SHM_HUGETLB | (seg->huge & HUGE_SIZE_BITS) : 0;
	*ret_size = ds.shm_segsz;
	err = dump_shared_image(dump, IMAGE_IPCNS_SHM, &img);
	if (!err)
		err = image_write_record(img, &entry.base);
	return err < 0 ? fail(err, "%s", image_store_error(dump->dir)) : 0;
}

static int open_segment(const struct segment *seg)
{
	return seg->dt ? open_fmt(seg->dt->proc.dir, O_RDONLY, "map_files/%s", seg->name) :
			 proc_fd_open(seg->fd, O_RDONLY);
}

void segments_close(struct memory_dump *memory)
{
	for (struct segment *seg = memory->segments; seg; seg = seg->next)
		if (seg->fd >= 0)
			close(seg->fd);
}

static int save_shared(struct dump *dump)
{
	for (struct segment *seg = dump->memory->segments; seg; seg = seg->next) {
		_cleanup_close_ int fd = open_segment(seg);
		struct stat st;
		uint64_t size;
		int err = 0;

		if (fd < 0)
			return fail(fd, "open shared memory %lu", seg->id);
		if (fstat(fd, &st) < 0)
			return fail(-errno, "fstat");
		size = st.st_size;
		if (seg->ns)
			size = seg->size;
		else if (seg->sysv)
			err = save_sysv(dump, seg, &size);
		if (!err)
			err = shmem_save(dump, fd, size, seg->id);
		if (err)
			return err;
	}
	return 0;
}

/* ---- restore ---- */

#ifndef SHM_DEST
#define SHM_DEST 01000
#endif
#ifndef SHM_LOCKED
#define SHM_LOCKED 02000
#endif

/* Page size of memory with these MAP_* flags. */
static uint64_t page_size(uint32_t flags)
{
	uint32_t shift = flags >> MAP_HUGE_SHIFT & MAP_HUGE_MASK;

	return flags & MAP_HUGETLB ? 1ull << (shift ? shift : 21) : PAGE_SZ;
}

/* Largest end of each segment that any VMA maps: its minimum size. */
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
			if (hash_put(&r->plan.segments_wanted, segment_key(vma->shmid, false), vma->flags & HUGE_BITS))
				return fail(-ENOMEM, "shared memory");
		}
	}
	return 0;
}

/* MAP_* flags of a segment: its entry has those of shmget(2), or (our own older images) MAP_HUGETLB. */
static uint32_t huge_flags(const IpcShmEntry *e)
{
	uint32_t size = e->hugetlb_flag & HUGE_SIZE_BITS;

	return e->hugetlb_flag & (MAP_HUGETLB | SHM_HUGETLB) ? MAP_HUGETLB | size : 0;
}

static int no_huge_pages(int error, uint64_t size, uint32_t flags)
{
	uint64_t page = page_size(flags);

	if (error != ENOMEM)
		return fail(-error, "%lu huge pages of %lu kB", size / page, page >> 10);
	return fail(
		-ENOMEM,
		"%lu huge pages of %lu kB are not available: raise /sys/kernel/mm/hugepages/hugepages-%lukB/nr_hugepages",
		size / page, page >> 10, page >> 10);
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
		return huge ? no_huge_pages(errno, size, huge) : fail(-errno, "%lu bytes of shared memory", size);
	fd = rights_may(&r->rights, RIGHT_MAP_FILES) ? open_fmt(proc_root(), O_RDWR, "self/map_files/%lx-%lx",
								(unsigned long)p, (unsigned long)p + size) :
						       -EPERM;
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

/* For files of the tree that refer to this segment. */
static int keep_sysv(struct restore *r, uint32_t id, int fd)
{
	uint64_t key = segment_key(id, true), wanted;

	if (!hash_get(&r->plan.segments_wanted, key, &wanted))
		return 0;
	fd = dup_fd_above(fd, r->service_base);
	if (fd < 0 || hash_put(&r->segment_fds, key, fd))
		return fail(fd < 0 ? fd : -ENOMEM, "keep SysV segment %u", id);
	return 0;
}

/* Without @fill: it has other users, and keeps their content. */
static int fill_sysv(struct restore *r, const IpcShmEntry *e, bool fill)
{
	_cleanup_close_ int fd = -1;
	uint64_t len = ROUND_UP(e->size, page_size(huge_flags(e)));
	void *p = shmat(e->desc->id, NULL, 0);
	int err;

	if (p == (void *)-1)
		return fail(-errno, "attach SysV segment %u", e->desc->id);
	fd = open_fmt(proc_root(), O_RDWR, "self/map_files/%lx-%lx", (unsigned long)p, (unsigned long)p + len);
	err = fd < 0 ? fail(fd, "open SysV segment %u", e->desc->id) : 0;
	if (!err && fill)
		err = shmem_fill(r, e->desc->id, fd);
	if (!err)
		err = keep_sysv(r, e->desc->id, fd);
	if (!err)
		err = hash_put(&r->plan.segment_sizes, segment_key(e->desc->id, true), len);
	shmdt(p);
	return err;
}

/*
 * Marked for removal in the image: it exists as long as it has users, as before, and we use it until the tree does. If
 * we are killed, it is gone as well. Returns where it is attached, 0: nowhere.
 */
static uint64_t hold_removed(int id)
{
	void *p = shmat(id, NULL, SHM_RDONLY);

	if (p == (void *)-1)
		return 0;
	shmctl(id, IPC_RMID, NULL);
	return (uintptr_t)p;
}

int segment_fill_sysv(struct restore *r, const IpcShmEntry *e)
{
	int err = fill_sysv(r, e, true);
	uint64_t held;

	if (err || !(e->desc->mode & SHM_DEST))
		return err;
	held = hold_removed(e->desc->id);
	if (!held)
		return fail(-errno, "attach SysV segment %u", e->desc->id);
	return hash_put(&r->tool.sysv_made, e->desc->id, held) ? fail(-ENOMEM, "SysV segments") : 0;
}

int segment_lock_sysv(const IpcDescEntry *desc)
{
	if (!(desc->mode & SHM_LOCKED) || !shmctl((int)desc->id, SHM_LOCK, NULL))
		return 0;
	return fail(-errno, "lock System V segment %u (SHM_LOCK; ulimit -l is one of the limits)", desc->id);
}

static int create_sysv(const IpcShmEntry *e)
{
	uint32_t huge = huge_flags(e);
	struct shmid_ds ds = { 0 };
	char text[16];
	int id, err;

	snprintf(text, sizeof(text), "%u", e->desc->id);
	err = write_text(proc_root(), "sys/kernel/shm_next_id", text);
	if (err < 0)
		return fail(err, "query SysV segment number %u", e->desc->id);
	id = shmget(e->desc->key, e->size,
		    IPC_CREAT | IPC_EXCL | (e->desc->mode & 0777) |
			    (int)(huge ? SHM_HUGETLB | (huge & HUGE_SIZE_BITS) : 0));
	if (id < 0 && huge && errno == ENOMEM)
		return no_huge_pages(ENOMEM, e->size, huge);
	if (id < 0)
		return fail(-errno, "create SysV segment %u (key %#x)", e->desc->id, e->desc->key);
	if (id != (int)e->desc->id) {
		shmctl(id, IPC_RMID, NULL);
		return fail(-EEXIST, "SysV segment number %u is in use", e->desc->id);
	}
	ds.shm_perm.uid = e->desc->uid;
	ds.shm_perm.gid = e->desc->gid;
	ds.shm_perm.mode = e->desc->mode & 0777;
	if (shmctl(id, IPC_SET, &ds) < 0) {
		err = -errno;
		shmctl(id, IPC_RMID, NULL);
		return fail(err, "owner of SysV segment %u", e->desc->id);
	}
	err = segment_lock_sysv(e->desc);
	if (err)
		shmctl(id, IPC_RMID, NULL);
	return err;
}

/* It is attached with our credentials: no task may get a segment that an unrelated process has created meanwhile. */
static bool has_rights_of_before(const struct ipc_perm *perm, const IpcDescEntry *desc)
{
	return perm->uid == desc->uid && perm->gid == desc->gid && !((perm->mode ^ desc->mode) & 0777);
}

/* A segment outlives its processes: if it still exists, it is filled again, unless it is in use. */
static int make_sysv(struct restore *r, const IpcShmEntry *e)
{
	struct shmid_ds ds;
	bool made = false;
	int err = 0;

	if (shmctl(e->desc->id, IPC_STAT, &ds) < 0) {
		err = create_sysv(e);
		made = !err;
	} else if ((uint32_t)ds.shm_perm.__key != e->desc->key || ds.shm_segsz != e->size) {
		return fail(
			-EEXIST,
			"SysV segment number %u is a different one here (key %#x, %zu bytes): remove it (ipcrm -m %u)",
			e->desc->id, ds.shm_perm.__key, ds.shm_segsz, e->desc->id);
	} else if (audience_of_all(r) && !has_rights_of_before(&ds.shm_perm, e->desc)) {
		return fail(
			-EPERM,
			"SysV segment number %u is a different one here: it belongs to %u:%u with mode 0%o, and was of "
			"%u:%u with mode 0%o; remove it (ipcrm -m %u)",
			e->desc->id, ds.shm_perm.uid, ds.shm_perm.gid, ds.shm_perm.mode & 0777, e->desc->uid,
			e->desc->gid, e->desc->mode & 0777, e->desc->id);
	} else if (ds.shm_nattch) {
		log_warn("SysV segment %u is in use by other processes: its current content is kept", e->desc->id);
		return fill_sysv(r, e, false);
	}
	if (!err)
		err = fill_sysv(r, e, true);
	if (made) {
		uint64_t *slot = hash_slot_of(&r->tool.sysv_made, e->desc->id, &made);

		if (slot)
			*slot = e->desc->mode & SHM_DEST ? hold_removed(e->desc->id) : 0;
		if (!err && slot && !*slot && (e->desc->mode & SHM_DEST))
			err = fail(-errno, "attach SysV segment %u", e->desc->id);
	}
	return err;
}

struct sysv_records {
	struct restore *r;
	struct restore_records list;
};

static int make_all_sysv(void *arg)
{
	const struct sysv_records *records = arg;
	int err = 0;

	for (size_t i = 0; !err && i < records->list.n; i++)
		err = make_sysv(records->r, (IpcShmEntry *)records->list.v[i]);
	return err;
}

static int make_segments(struct restore *r)
{
	const struct hash_slot *slot;
	struct sysv_records records = { .r = r };
	size_t iter = 0;
	int err = note_needed(r);

	while (!err && (slot = hash_next(&r->plan.segments_wanted, &iter))) {
		uint64_t size = 0;
		int fd = -1;

		if (slot->key >> 32)
			continue;
		hash_get(&r->plan.segment_sizes, slot->key, &size);
		err = make_anonymous(r, slot->key, ROUND_UP(size, page_size(slot->value)), slot->value, &fd);
		if (!err)
			err = hash_put(&r->segment_fds, slot->key, fd);
	}
	if (!err)
		err = restore_read_records(r, IMAGE_IPCNS_SHM, 0, &ipc_shm_entry__descriptor, &records.list);
	/* Those of other namespaces are created by the kind of these: kinds/ns/ipc/shm.c. */
	return err || !records.list.n ? err : ipc_ns_of_tool(r, make_all_sysv, &records);
}

/* When every task has attached them: those that are marked for removal exist as long as they have users. */
static void release_removed(struct restore *r)
{
	const struct hash_slot *slot;
	size_t iter = 0;

	while ((slot = hash_next(&r->tool.sysv_made, &iter)))
		if (slot->value)
			shmdt((void *)(uintptr_t)slot->value);
}

/* All that are not marked for removal are in the tool's namespace: other namespaces disappear with their segments. */
static int remove_created(void *arg)
{
	struct restore *r = arg;
	const struct hash_slot *slot;
	size_t iter = 0;

	while ((slot = hash_next(&r->tool.sysv_made, &iter)))
		if (!slot->value)
			shmctl((int)slot->key, IPC_RMID, NULL);
	return 0;
}

static void remove_after_failure(struct restore *r)
{
	size_t iter = 0;

	release_removed(r);
	/* Otherwise the namespaces may not have been created yet. */
	if (hash_next(&r->tool.sysv_made, &iter))
		ipc_ns_of_tool(r, remove_created, r);
}

const struct run_kind segments_run = {
	.name = "shared memory",
	.save = save_shared,
	.in_namespaces = make_segments,
	.running = release_removed,
	.failed = remove_after_failure,
};
