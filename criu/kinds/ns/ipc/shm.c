// SPDX-License-Identifier: GPL-2.0-only
/* System V shared memory segments: shmctl(2). Those of an IPC namespace that is not the tool's are not saved yet. */
#include <errno.h>
#include <sys/shm.h>
#include "internal.h"
#include "ipc-shm.pb-c.h"
#include "util/log.h"

#ifndef SHM_STAT_ANY
#define SHM_STAT_ANY 15
#endif

int ipc_shm_save(struct dump *dump, const struct ns *ns)
{
	const struct dump_task *task = dump_task_of(ns->member);
	struct shm_info info;
	int last = shmctl(0, SHM_INFO, (struct shmid_ds *)&info);

	if (last < 0)
		return errno == ENOSYS ? 0 : fail(-errno, "list System V segments");
	for (int i = 0; info.used_ids && i <= last; i++) {
		struct shmid_ds ds;
		int id = shmctl(i, SHM_STAT_ANY, &ds);

		if (id < 0)
			id = shmctl(i, SHM_STAT, &ds);
		if (id >= 0)
			dump_blocker(
				dump, task, -1,
				"System V segment %d (key %#x, %zu bytes) is in its IPC namespace, which is not the tool's: not implemented; remove it (nsenter -t %d --ipc ipcrm -m %d), or run the tool inside (nsenter -t %d --ipc)",
				id, (unsigned)ds.shm_perm.__key, ds.shm_segsz, task->t.host_pid, id, task->t.host_pid);
	}
	return 0;
}

int ipc_shm_load(struct restore *r, const struct ns *ns)
{
	struct restore_records records;
	int err = restore_read_records(r, IMAGE_IPCNS_SHM, ns->id, &ipc_shm_entry__descriptor, &records);

	if (err || !records.n)
		return err;
	return fail(-EOPNOTSUPP,
		    "ipcns-shm-%u.img: System V segments of an IPC namespace that is not the tool's are not implemented",
		    ns->id);
}
