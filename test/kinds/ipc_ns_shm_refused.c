// SPDX-License-Identifier: GPL-2.0-only
/*
 * A segment that is not attached, and exists only as long as its creator does (shm_rmid_forced): refused by name.
 * test: refused='System.V.segment.\d+.of.its.IPC.namespace.is.not.attached.*kernel.shm_rmid_forced'
 */
#include "checkpoint.h"
#include <sched.h>
#include <sys/shm.h>

int main(int argc, char **argv)
{
	struct shmid_ds ds;
	int id;

	test_init(argc, argv);
	need(!unshare(CLONE_NEWIPC), "unshare");
	write_file("/proc/sys/kernel/shm_rmid_forced", "1");
	id = shmget(IPC_PRIVATE, 5000, IPC_CREAT | 0600);
	need(id >= 0, "segment");
	if (checkpoint_here())
		shmctl(id, IPC_RMID, NULL);
	check(!shmctl(id, IPC_STAT, &ds), "segment");
	test_done();
}
