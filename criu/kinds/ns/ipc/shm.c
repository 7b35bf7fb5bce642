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
#include "memory/sysv.h"
#include "util/fds.h"
#include "util/log.h"
#include "util/proc_root.h"

#ifndef SHM_STAT_ANY
#define SHM_STAT_ANY 15
#endif
#define MAX_PAGE_SZ (16ull << 30) /* of all CPUs */

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

/* The descriptor of what is mapped at @start: an end is tried for each size of pages that it may consist of. */
static int open_mapped(unsigned long start, uint64_t size)
{
	int fd = -ENOENT;

	for (uint64_t page = PAGE_SZ; fd == -ENOENT && page <= MAX_PAGE_SZ; page *= 2)
		fd = open_fmt(proc_root(), O_RDONLY, "self/map_files/%lx-%lx", start, start + ROUND_UP(size, page));
	return fd;
}

/* Its memory as a descriptor; *ret_huge: SHMEM_HUGE_BITS */
static int open_segment(int id, uint64_t size, uint32_t *ret_huge)
{
	_cleanup_close_ int fd = -1;
	void *p = shmat(id, NULL, SHM_RDONLY);
	struct statfs fs;

	if (p == (void *)-1)
		return fail(-errno, "attach System V segment %d", id);
	fd = open_mapped((unsigned long)p, size);
	shmdt(p);
	if (fd == -EPERM)
		return fail(
			fd,
			"open System V segment %d of its IPC namespace: %s: remove it (ipcrm -m), or run criu as root",
			id, rights_text(RIGHT_MAP_FILES));
	if (fd < 0)
		return fail(fd, "open System V segment %d", id);
	if (fstatfs(fd, &fs) < 0)
		return fail(-errno, "query System V segment %d", id);
	/* Transparent huge pages do not count. */
	*ret_huge = fs.f_type != HUGETLBFS_MAGIC ?
			    0 :
			    MAP_HUGETLB | (uint32_t)__builtin_ctzl((unsigned long)fs.f_bsize) << MAP_HUGE_SHIFT;
	return steal_fd(&fd);
}

static int save_segment(struct dump *dump, const struct ns *ns, struct image_writer *img, int id,
			const struct shmid_ds *ds)
{
	struct ns_segment seg = { .id = id, .size = ds->shm_segsz, .fd = -1 };
	_cleanup_close_ int fd = -1;

	/* To look at it, it has to be attached, which a running tree would see. */
	if (!dump_is_check(dump)) {
		seg.fd = fd = open_segment(id, ds->shm_segsz, &seg.huge);
		if (fd < 0)
			return fd;
	}
	return shmem_note_of_ns(dump, ns, &seg) ?: sysv_write(dump, img, id, ds, seg.huge);
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
		err = ipc_image_need(dump, IMAGE_IPCNS_SHM, ns, &img);
		if (err)
			return err;
		err = save_segment(dump, ns, img, id, &ds);
	}
	return err ? err : ipc_image_complete(dump, &img);
}

/* ---- restore ---- */

static int check_segment(struct restore *r, const struct ns *ns, const IpcShmEntry *e, struct hash *ids)
{
	uint64_t key = segment_key(e->desc->id, true), known;
	int err = sysv_check(ns->id, e, ids);

	if (err)
		return err;
	if (!e->in_pagemaps)
		return fail(-EOPNOTSUPP, "ipcns-shm-%u.img: segment %u: content beside its record is not implemented",
			    ns->id, e->desc->id);
	if (hash_get(&r->plan.segment_sizes, key, &known))
		return fail(
			-EOPNOTSUPP,
			"ipcns-shm-%u.img: segments with the same id %u in several IPC namespaces are not implemented",
			ns->id, e->desc->id);
	if (hash_put(&r->plan.segment_sizes, key, sysv_mapped_size(e)))
		return fail(-ENOMEM, "System V segments");
	return shmem_check(r, e->desc->id, NULL);
}

int ipc_shm_load(struct restore *r, const struct ns *ns, struct ipc_ns_state *state)
{
	_cleanup_hash_ struct hash ids = { 0 };
	int err = restore_read_records(r, IMAGE_IPCNS_SHM, ns->id, &ipc_shm_entry__descriptor, &state->segments);

	for (size_t i = 0; !err && i < state->segments.n; i++)
		err = check_segment(r, ns, (const IpcShmEntry *)state->segments.v[i], &ids);
	return err;
}

int ipc_shm_fill(struct restore *r, const struct ipc_ns_state *state)
{
	int err = 0;

	for (size_t i = 0; !err && i < state->segments.n; i++) {
		const IpcShmEntry *e = (const IpcShmEntry *)state->segments.v[i];

		err = sysv_create(r, e) ?: sysv_fill(r, e);
	}
	return err;
}
