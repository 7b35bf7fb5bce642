// SPDX-License-Identifier: GPL-2.0-only
/*
 * System V shared memory segments: shmctl(2). Their content is saved by module memory (memory/segments.c). Tasks attach
 * them by their ids in the restorer.
 */
#include <errno.h>
#include <linux/magic.h>
#include <sys/shm.h>
#include <sys/vfs.h>
#include <unistd.h>
#include "base/bits.h"
#include "base/cleanup.h"
#include "internal.h"
#include "ipc-shm.pb-c.h"
#include "memory/segments.h"
#include "memory/shmem.h"
#include "util/fds.h"
#include "util/log.h"
#include "util/proc_root.h"

#ifndef SHM_STAT_ANY
#define SHM_STAT_ANY 15
#endif

/* ---- dump ---- */

/* The segment with this index in the kernel's table; its id or a negative errno. */
static int stat_segment(int index, struct shmid_ds *ret)
{
	int id = shmctl(index, SHM_STAT_ANY, ret);

	/* Before Linux 4.17: those that we may read. */
	if (id < 0 && errno == EINVAL)
		id = shmctl(index, SHM_STAT, ret);
	return id < 0 ? -errno : id;
}

/* Its memory as a descriptor; *ret_huge: it consists of huge pages. */
static int open_segment(int id, uint64_t size, bool *ret_huge)
{
	uint64_t len = ROUND_UP(size, PAGE_SZ);
	void *p = shmat(id, NULL, SHM_RDONLY);
	struct statfs fs;
	int fd;

	if (p == (void *)-1)
		return fail(-errno, "attach System V segment %d", id);
	fd = open_fmt(proc_root(), O_RDONLY, "self/map_files/%lx-%lx", (unsigned long)p, (unsigned long)p + len);
	shmdt(p);
	if (fd >= 0 && fstatfs(fd, &fs) < 0) {
		int err = -errno;

		close(fd);
		return fail(err, "query System V segment %d", id);
	}
	/* A mapping of huge pages may be longer than the segment. Transparent ones do not count. */
	*ret_huge = fd == -ENOENT || (fd >= 0 && fs.f_type == HUGETLBFS_MAGIC);
	return fd < 0 && !*ret_huge ? fail(fd, "open System V segment %d", id) : fd;
}

static int write_segment(struct dump *dump, struct image_writer *img, int id, const struct shmid_ds *ds)
{
	IpcShmEntry entry = IPC_SHM_ENTRY__INIT;
	IpcDescEntry desc;
	int err;

	ipc_desc_fill(dump, &ds->shm_perm, id, &desc);
	entry.desc = &desc;
	entry.size = ds->shm_segsz;
	entry.has_in_pagemaps = entry.in_pagemaps = true;
	err = image_write_record(img, &entry.base);
	return err < 0 ? fail(err, "%s", image_store_error(dump->dir)) : 0;
}

static int save_segment(struct dump *dump, const struct ns *ns, struct image_writer *img, int id,
			const struct shmid_ds *ds)
{
	const struct dump_task *task = dump_task_of(ns->member);
	_cleanup_close_ int fd = -1;
	bool huge = false;

	/* To look at it, it has to be attached, which a running tree would see. */
	if (!dump_is_check(dump)) {
		fd = open_segment(id, ds->shm_segsz, &huge);
		if (fd < 0 && !huge)
			return fd;
	}
	if (huge) {
		dump_blocker(
			dump, task, -1,
			"System V segment %d of its IPC namespace has huge pages, which is not implemented there: remove it (nsenter -t %d --ipc ipcrm -m %d), or run the tool inside (nsenter -t %d --ipc)",
			id, task->t.host_pid, id, task->t.host_pid);
		return 0;
	}
	return shmem_note_of_ns(dump, ns, id, ds->shm_segsz, fd) ?: write_segment(dump, img, id, ds);
}

static void refuse_unattached(struct dump *dump, const struct ns *ns, int id)
{
	const struct dump_task *task = dump_task_of(ns->member);

	dump_blocker(
		dump, task, -1,
		"System V segment %d of its IPC namespace is not attached, and only there because the process that created it has not ended (kernel.shm_rmid_forced is 1): attach or remove it (nsenter -t %d --ipc ipcrm -m %d)",
		id, task->t.host_pid, id);
}

int ipc_shm_save(struct dump *dump, const struct ns *ns, bool rmid_forced)
{
	_cleanup_image_writer_ struct image_writer *img = NULL;
	struct shm_info info;
	struct shmid_ds ds;
	int last = shmctl(0, SHM_INFO, (struct shmid_ds *)&info), err = 0;

	if (last < 0)
		return errno == ENOSYS ? 0 : fail(-errno, "list System V segments");
	for (int i = 0; info.used_ids && !err && i <= last; i++) {
		int id = stat_segment(i, &ds);

		if (id == -EINVAL || id == -EIDRM) /* there is none */
			continue;
		if (id < 0)
			return fail(id, "query a System V segment");
		if (rmid_forced && !ds.shm_nattch) {
			refuse_unattached(dump, ns, id);
			continue;
		}
		if (!img)
			err = image_create(dump->dir, IMAGE_IPCNS_SHM, ns->id, &img);
		if (err < 0)
			return fail(err, "%s", image_store_error(dump->dir));
		err = save_segment(dump, ns, img, id, &ds);
	}
	if (!err && img)
		err = image_close(steal_ptr(&img)) < 0 ? fail(-EIO, "%s", image_store_error(dump->dir)) : 0;
	return err;
}

/* ---- restore ---- */

static int check_segment(struct restore *r, const struct ns *ns, const IpcShmEntry *e, struct hash *ids)
{
	uint64_t key = segment_key(e->desc->id, true), known;
	int err = ipc_desc_check(ns, "ipcns-shm", e->desc, ids);

	if (err)
		return err;
	if (!e->size || e->size > INT64_MAX)
		return fail(-EBADMSG, "ipcns-shm-%u.img: segment %u: invalid size %lu", ns->id, e->desc->id, e->size);
	if (e->hugetlb_flag || !e->in_pagemaps)
		return fail(-EOPNOTSUPP, "ipcns-shm-%u.img: segment %u: %s is not implemented", ns->id, e->desc->id,
			    e->hugetlb_flag ? "an IPC namespace with huge pages" : "content beside its record");
	if (hash_get(&r->plan.segment_sizes, key, &known))
		return fail(
			-EOPNOTSUPP,
			"ipcns-shm-%u.img: segments with the same id %u in several IPC namespaces are not implemented",
			ns->id, e->desc->id);
	if (hash_put(&r->plan.segment_sizes, key, ROUND_UP(e->size, PAGE_SZ)))
		return fail(-ENOMEM, "System V segments");
	return shmem_check(r, e->desc->id);
}

int ipc_shm_load(struct restore *r, const struct ns *ns, struct ipc_ns_state *state)
{
	_cleanup_hash_ struct hash ids = { 0 };
	int err = restore_read_records(r, IMAGE_IPCNS_SHM, ns->id, &ipc_shm_entry__descriptor, &state->segments);

	for (size_t i = 0; !err && i < state->segments.n; i++)
		err = check_segment(r, ns, (const IpcShmEntry *)state->segments.v[i], &ids);
	return err;
}

static int create_segment(const void *arg)
{
	const IpcShmEntry *e = arg;
	int id = shmget((key_t)e->desc->key, e->size, IPC_CREAT | IPC_EXCL | (int)(e->desc->mode & 0777));

	return id < 0 ? -errno : id;
}

static int remove_segment(int id)
{
	return shmctl(id, IPC_RMID, NULL);
}

static const struct ipc_type segment_type = { "shm_next_id", create_segment, remove_segment };

static int make_segment(struct restore *r, const IpcShmEntry *e)
{
	const IpcDescEntry *desc = e->desc;
	struct shmid_ds ds = { 0 };
	int err = ipc_create(desc, &segment_type, e);

	if (err)
		return fail(err, "create System V segment %u, key %#x, of %lu bytes", desc->id, desc->key, e->size);
	ds.shm_perm.uid = desc->uid;
	ds.shm_perm.gid = desc->gid;
	ds.shm_perm.mode = (unsigned short)(desc->mode & 0777);
	if (shmctl((int)desc->id, IPC_SET, &ds) < 0)
		return fail(-errno, "set the owner of System V segment %u", desc->id);
	return segment_lock_sysv(desc) ?: segment_fill_sysv(r, e);
}

int ipc_shm_fill(struct restore *r, const struct ipc_ns_state *state)
{
	int err = 0;

	for (size_t i = 0; !err && i < state->segments.n; i++)
		err = make_segment(r, (const IpcShmEntry *)state->segments.v[i]);
	return err;
}
