// SPDX-License-Identifier: GPL-2.0-only
/*
 * A System V queue in the IPC namespace of a tree with its own user namespace, whose owner is not mapped there: refused, since it
 * would come back as a queue of "nobody", who may be somebody inside.
 * test: refused="System V object [0-9]+, key 0x1234: its owner or creator .users 4711 and 4711, groups 0 and 0. is not mapped"
 */
#include "checkpoint.h"
#include <sched.h>
#include <sys/msg.h>
#include <sys/prctl.h>

static int entered[2];

static void put(const char *file, const char *text)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", getppid(), file);
	write_file(path, text);
}

/* From outside of the user namespace. */
static int make_queue(void *arg)
{
	char c, path[64];
	int ns;

	need(read(entered[0], &c, 1) == 1, "the parent is in its namespaces");
	put("uid_map", "0 100000 65536\n");
	put("gid_map", "0 100000 65536\n");
	snprintf(path, sizeof(path), "/proc/%d/ns/ipc", getppid());
	ns = open(path, O_RDONLY);
	need(ns >= 0 && !setns(ns, CLONE_NEWIPC), "setns");
	need(!setresuid(-1, 4711, -1) && msgget(0x1234, IPC_CREAT | 0600) >= 0, "queue");
	return 0;
}

int main(int argc, char **argv)
{
	pid_t maker;

	test_init(argc, argv);
	need(!pipe(entered), "pipe");
	maker = fork_task(make_queue, NULL);
	if (unshare(CLONE_NEWUSER | CLONE_NEWIPC))
		test_skip("no user namespaces");
	need(!prctl(PR_SET_DUMPABLE, 1) && write(entered[1], "x", 1) == 1, "pipe");
	join_task(maker);
	close(entered[0]);
	close(entered[1]);
	need(!setresgid(0, 0, 0) && !setresuid(0, 0, 0) && !prctl(PR_SET_DUMPABLE, 1), "ids");
	checkpoint_here();
	test_done();
}
