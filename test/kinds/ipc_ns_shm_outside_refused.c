// SPDX-License-Identifier: GPL-2.0-only
/*
 * A segment that is attached in another namespace than its own, where another one has its id: refused by name.
 * test: refused='SysV.segment.0.is.attached.at.*another.IPC.namespace.*shmdt'
 */
#include "checkpoint.h"
#include <sched.h>
#include <sys/shm.h>

int main(int argc, char **argv)
{
	char *p, *q;
	int id;

	test_init(argc, argv);
	need(!unshare(CLONE_NEWIPC), "unshare");
	id = shmget(IPC_PRIVATE, 4096, IPC_CREAT | 0600);
	p = shmat(id, NULL, 0);
	need(!unshare(CLONE_NEWIPC) && shmget(IPC_PRIVATE, 4096, IPC_CREAT | 0600) == id, "the same id");
	q = shmat(id, NULL, 0);
	need(p != (void *)-1 && q != (void *)-1, "attach");
	strcpy(p, "of the first");
	strcpy(q, "of the second");
	if (checkpoint_here())
		strcpy(p, q);
	check(!strcmp(p, "of the first") && !strcmp(q, "of the second"), "content: %s, %s", p, q);
	test_done();
}
