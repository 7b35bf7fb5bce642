// SPDX-License-Identifier: GPL-2.0-only
/*
 * Processes in another user namespace than the root of the tree, in a state that cannot be restored: with a thread that is another
 * user without a number there, or that a descriptor refers to, with directories or memory that they share, with a mount namespace of outside after one
 * in which most users have no number.
 * test: refused="(?s)its thread [0-9]+ is user 300, which is not mapped there.*shares its directories.*shares its memory.*its mount namespace belongs to a user namespace with ids that have no number.*refers to a thread of process"
 */
#include "checkpoint.h"
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static void enter(unsigned flags)
{
	if (unshare(CLONE_NEWUSER | (int)flags))
		test_skip("no user namespaces");
}

static void *wait_for_ever(void *arg)
{
	for (;;)
		pause();
	return NULL;
}

static int steps[2];
static int owned[2];

static void *stays_unmapped(void *arg)
{
	struct f_owner_ex owner = { .type = F_OWNER_TID, .pid = (pid_t)syscall(SYS_gettid) };

	need(!fcntl(owned[0], F_SETOWN_EX, &owner), "F_SETOWN_EX");
	need(write(steps[1], "x", 1) == 1, "pipe");
	return wait_for_ever(arg);
}

static int threads(void *arg)
{
	pthread_t thread;
	char c;

	need(!syscall(SYS_setresuid, 300, 300, 300), "user: %m");
	enter(0);
	need(!prctl(PR_SET_DUMPABLE, 1), "dumpable");
	task_ready("entered");
	need(read(steps[0], &c, 1) == 1, "pipe");
	need(!pthread_create(&thread, NULL, stays_unmapped, NULL), "thread");
	need(read(steps[0], &c, 1) == 1, "pipe");
	need(!syscall(SYS_setresuid, 7, 7, 7), "user: %m");
	checkpoint_task("threads", 0);
	return 0;
}

static void map_ids(pid_t pid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/uid_map", pid);
	write_file(path, "0 0 1\n7 7 1\n");
	need(write(steps[1], "x", 1) == 1, "pipe");
}

static int sharing(void *arg)
{
	pid_t pid;

	enter(0);
	pid = (pid_t)syscall(SYS_clone, (unsigned long)(uintptr_t)arg, NULL, NULL, NULL, 0ul);
	if (!pid)
		wait_for_ever(NULL);
	checkpoint_task("directories", 0);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, __WALL);
	return 0;
}

static char stack[65536];

static int waiting(void *arg)
{
	wait_for_ever(arg);
	return 0;
}

static int memory(void *arg)
{
	pid_t pid;

	enter(0);
	pid = clone(waiting, stack + sizeof(stack), CLONE_VM, NULL);
	checkpoint_task("memory", 0);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, __WALL);
	return 0;
}

static int objects(void *arg)
{
	enter(CLONE_NEWNS);
	need(!prctl(PR_SET_DUMPABLE, 1), "dumpable");
	write_file("/proc/self/uid_map", "5 0 1");
	checkpoint_task("objects", 0);
	return 0;
}

static int mounts(void *arg)
{
	need(!unshare(CLONE_NEWNS), "mount namespace");
	checkpoint_task("mounts", 0);
	return 0;
}

int main(int argc, char **argv)
{
	pid_t pids[5];

	test_init(argc, argv);
	need(!pipe(steps) && !pipe(owned), "pipes");
	pids[0] = fork_task(threads, NULL);
	await_task("entered");
	map_ids(pids[0]);
	await_task("threads");
	pids[1] = fork_task(sharing, (void *)CLONE_FS);
	await_task("directories");
	pids[2] = fork_task(memory, NULL);
	await_task("memory");
	pids[3] = fork_task(objects, NULL);
	await_task("objects");
	pids[4] = fork_task(mounts, NULL);
	await_task("mounts");
	checkpoint_here();
	for (int i = 0; i < 5; i++)
		join_task(pids[i]);
	test_done();
}
