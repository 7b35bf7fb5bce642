/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <unistd.h>
#include "base/bits.h"
#include "base/cleanup.h"
#include "image/image_set.h"
#include "memory/shmem.h"
#include "memory/sysv.h"
#include "run/outside.h"
#include "run/ipc_ns.h"
#include "run/ipc_object.h"
#include "run/opener.h"
#include "util/fds.h"
#include "util/log.h"
#include "util/proc_root.h"

#ifndef SHM_DEST
#define SHM_DEST 01000
#endif
#ifndef SHM_LOCKED
#define SHM_LOCKED 02000
#endif

int sysv_write(struct dump *dump, struct image_writer *img, int id, const struct shmid_ds *ds, uint32_t huge)
{
	IpcShmEntry entry = IPC_SHM_ENTRY__INIT;
	IpcDescEntry desc;
	int err;

	ipc_desc_fill(dump, &ds->shm_perm, id, &desc);
	entry.desc = &desc;
	entry.size = ds->shm_segsz;
	entry.has_in_pagemaps = entry.in_pagemaps = true;
	entry.has_hugetlb_flag = huge != 0;
	entry.hugetlb_flag = huge ? SHM_HUGETLB | (huge & SHMEM_HUGE_SIZE) : 0;
	err = image_write_record(img, &entry.base);
	return err < 0 ? fail(err, "%s", image_store_error(dump->dir)) : 0;
}

/* ---- restore: any namespace */

/* MAP_* flags of a segment: its entry has those of shmget(2), or (our own older images) MAP_HUGETLB. */
static uint32_t huge_flags(const IpcShmEntry *e)
{
	uint32_t size = e->hugetlb_flag & SHMEM_HUGE_SIZE;

	return e->hugetlb_flag & (MAP_HUGETLB | SHM_HUGETLB) ? MAP_HUGETLB | size : 0;
}

uint64_t sysv_mapped_size(const IpcShmEntry *e)
{
	return ROUND_UP(e->size, shmem_page_size(huge_flags(e)));
}

int sysv_check(uint32_t ns, const IpcShmEntry *e, struct hash *ids)
{
	int err = ipc_desc_check("ipcns-shm", ns, e->desc, ids);

	if (!err && (!e->size || e->size > INT64_MAX))
		err = fail(-EBADMSG, "ipcns-shm-%u.img: segment %u: invalid size %lu", ns, e->desc->id, e->size);
	return err;
}

static int create_segment(const void *arg)
{
	const IpcShmEntry *e = arg;
	uint32_t huge = huge_flags(e), flags = huge ? SHM_HUGETLB | (huge & SHMEM_HUGE_SIZE) : 0;
	int id = shmget((key_t)e->desc->key, e->size, IPC_CREAT | IPC_EXCL | (int)(flags | (e->desc->mode & 0777)));

	return id < 0 ? -errno : id;
}

static int remove_segment(int id)
{
	return shmctl(id, IPC_RMID, NULL);
}

static const struct ipc_type segment_type = { "shm_next_id", create_segment, remove_segment };

static int set_segment(const IpcDescEntry *desc)
{
	struct shmid_ds ds = { 0 };

	ds.shm_perm.uid = desc->uid;
	ds.shm_perm.gid = desc->gid;
	ds.shm_perm.mode = (unsigned short)(desc->mode & 0777);
	if (shmctl((int)desc->id, IPC_SET, &ds) < 0)
		return fail(-errno, "set its owner");
	if (desc->mode & SHM_LOCKED && shmctl((int)desc->id, SHM_LOCK, NULL) < 0)
		return fail(-errno, "lock it (SHM_LOCK; ulimit -l is one of the limits)");
	return 0;
}

int sysv_create(struct restore *r, const IpcShmEntry *e)
{
	LOG_SCOPE("System V segment %u, key %#x, %lu bytes", e->desc->id, e->desc->key, e->size);
	int err = ipc_create(&r->rights, e->desc, &segment_type, e);

	if (err)
		return err == -ENOMEM && huge_flags(e) ? shmem_no_huge_pages(ENOMEM, e->size, huge_flags(e)) : err;
	err = set_segment(e->desc);
	if (err)
		remove_segment((int)e->desc->id);
	return err;
}

/* For files of the tree that refer to this segment. */
static int keep_open(struct restore *r, uint32_t id, int fd)
{
	uint64_t key = segment_key(id, true), wanted;

	if (!hash_get(&r->plan.segments_wanted, key, &wanted))
		return 0;
	if (fd < 0)
		return fail(fd, "open System V segment %u, of which a process has a descriptor: %s: run criu as root",
			    id, rights_text(RIGHT_MAP_FILES));
	fd = dup_fd_above(fd, r->service_base);
	if (fd < 0 || hash_put(&r->segment_fds, key, fd))
		return fail(fd < 0 ? fd : -ENOMEM, "keep System V segment %u", id);
	return 0;
}

/* Where it cannot be opened: its content is put together in another file first. */
static int fill_mapping(struct restore *r, uint32_t id, char *to, uint64_t len)
{
	_cleanup_close_ int fd = memfd_create("criu", MFD_CLOEXEC);
	int err;

	if (fd < 0 || ftruncate(fd, (off_t)len) < 0)
		return -errno;
	err = shmem_fill(r, id, fd);
	for (off_t at = 0, hole; !err; at = hole) {
		at = lseek(fd, at, SEEK_DATA);
		if (at < 0)
			return errno == ENXIO ? 0 : -errno;
		hole = lseek(fd, at, SEEK_HOLE);
		err = hole < 0 ? -errno : pread_exact(fd, to + at, (size_t)(hole - at), at);
	}
	return err;
}

/* Without @fill: it has other users, and keeps their content. */
static int fill_content(struct restore *r, const IpcShmEntry *e, bool fill)
{
	_cleanup_close_ int fd = -1;
	uint64_t len = sysv_mapped_size(e);
	void *p = shmat((int)e->desc->id, NULL, 0);
	int err;

	if (p == (void *)-1)
		return fail(-errno, "attach System V segment %u", e->desc->id);
	fd = restore_open_mapping(r, p, len);
	if (fd == -EPERM || fd == -EACCES)
		err = fill ? fill_mapping(r, e->desc->id, p, len) : 0;
	else
		err = fd < 0 ? fd : fill ? shmem_fill(r, e->desc->id, fd) : 0;
	if (err)
		fail(err, "fill System V segment %u", e->desc->id);
	else
		err = keep_open(r, e->desc->id, fd);
	if (!err)
		err = hash_put(&r->plan.segment_sizes, segment_key(e->desc->id, true), len);
	shmdt(p);
	return err;
}

/*
 * Marked for removal in the image: it exists as long as it has users, as before, and we use it until the tree does. If
 * we are killed, it is gone as well.
 */
static int hold_removed(struct restore *r, const IpcDescEntry *desc)
{
	void *p = shmat((int)desc->id, NULL, SHM_RDONLY);

	if (p == (void *)-1)
		return fail(-errno, "attach System V segment %u", desc->id);
	shmctl((int)desc->id, IPC_RMID, NULL);
	return hash_put_ptr(&r->tool.sysv_made, desc->id, p) ? fail(-ENOMEM, "System V segments") : 0;
}

int sysv_fill(struct restore *r, const IpcShmEntry *e)
{
	int err = fill_content(r, e, true);

	return err || !(e->desc->mode & SHM_DEST) ? err : hold_removed(r, e->desc);
}

/* ---- restore: the tool's own namespace */

struct sysv_records {
	struct restore *r;
	struct restore_records list;
};

static int load(struct restore *r)
{
	_cleanup_hash_ struct hash ids = { 0 };
	struct sysv_records *own;
	struct restore_records list;
	int err = restore_read_records(r, IMAGE_IPCNS_SHM, 0, &ipc_shm_entry__descriptor, &list);

	for (size_t i = 0; !err && i < list.n; i++)
		err = sysv_check(0, (const IpcShmEntry *)list.v[i], &ids);
	if (err || !list.n)
		return err;
	own = restore_alloc(r, sizeof(*own));
	if (!own)
		return fail(-ENOMEM, "System V segments");
	*own = (struct sysv_records){ r, list };
	r->tool.sysv_records = own;
	return 0;
}

/* It is attached with our credentials: no task may get a segment that an unrelated process has created meanwhile. */
static bool has_rights_of_before(const struct ipc_perm *perm, const IpcDescEntry *desc)
{
	return perm->uid == desc->uid && perm->gid == desc->gid && perm->cuid == desc->cuid &&
	       perm->cgid == desc->cgid && !((perm->mode ^ desc->mode) & 0777);
}

static int refuse_rights(const struct ipc_perm *perm, const IpcDescEntry *desc)
{
	return fail(-EPERM,
		    "System V segment %u is a different one here: it belongs to %u:%u, was created by %u:%u, and has "
		    "mode 0%o, in the images %u:%u, %u:%u and 0%o; remove it (ipcrm -m %u)",
		    desc->id, perm->uid, perm->gid, perm->cuid, perm->cgid, perm->mode & 0777, desc->uid, desc->gid,
		    desc->cuid, desc->cgid, desc->mode & 0777, desc->id);
}

static int create_own(struct restore *r, const IpcShmEntry *e)
{
	int err = sysv_create(r, e);

	if (err)
		return err;
	/* Whatever fails from now on: it is removed. */
	if (hash_put(&r->tool.sysv_made, e->desc->id, 0)) {
		remove_segment((int)e->desc->id);
		return fail(-ENOMEM, "System V segments");
	}
	return sysv_fill(r, e);
}

/* A segment outlives its processes: if it still exists, it is filled again, unless it is in use. */
static int make_own(struct restore *r, const IpcShmEntry *e)
{
	struct shmid_ds ds;

	if (shmctl((int)e->desc->id, IPC_STAT, &ds) < 0)
		return create_own(r, e);
	if ((uint32_t)ds.shm_perm.__key != e->desc->key || ds.shm_segsz != e->size)
		return fail(-EEXIST,
			    "System V segment %u is a different one here (key %#x, %zu bytes): remove it (ipcrm -m %u)",
			    e->desc->id, ds.shm_perm.__key, ds.shm_segsz, e->desc->id);
	if (audience_of_all(r) && !has_rights_of_before(&ds.shm_perm, e->desc))
		return refuse_rights(&ds.shm_perm, e->desc);
	if (ds.shm_nattch)
		log_warn("System V segment %u is in use by other processes: its current content is kept", e->desc->id);
	return fill_content(r, e, !ds.shm_nattch);
}

static int make_all_own(void *arg)
{
	const struct sysv_records *own = arg;
	int err = 0;

	for (size_t i = 0; !err && i < own->list.n; i++)
		err = make_own(own->r, (const IpcShmEntry *)own->list.v[i]);
	return err;
}

static int make_in_own_namespace(struct restore *r)
{
	return r->tool.sysv_records ? ipc_ns_of_tool(r, make_all_own, r->tool.sysv_records) : 0;
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
			remove_segment((int)slot->key);
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

const struct run_kind sysv_run = {
	.name = "System V shared memory",
	.load = load,
	.in_namespaces = make_in_own_namespace,
	.running = release_removed,
	.failed = remove_after_failure,
};
