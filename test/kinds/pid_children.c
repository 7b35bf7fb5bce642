// SPDX-License-Identifier: GPL-2.0-only
/*
 * unshare(CLONE_NEWPID) without a child so far: the next one is the init of a new pid namespace, others follow into it. The
 * program has so much memory that it is copied for a short freeze, other processes are its children already.
 * test: breaks=2 decode=yes flavours=host,pid
 */
#include "checkpoint.h"
#include <sched.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define MUCH (16u << 20)

static bool next_is_undecided(void)
{
	char link[64];

	return readlink("/proc/self/ns/pid_for_children", link, sizeof(link)) < 0 && errno == ENOENT;
}

static int idle(void *arg)
{
	checkpoint_task("older child", 0);
	return 0;
}

static pid_t numbered_child(int go)
{
	pid_t pid = fork();
	char byte;

	if (!pid)
		_exit(read(go, &byte, 1) == 1 ? getpid() : 99);
	return pid;
}

static int status_of(pid_t pid)
{
	int status = 0;

	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int main(int argc, char **argv)
{
	char *much = mmap(NULL, MUCH, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	pid_t older, init, second;
	int go[2], go_init[2];

	test_init(argc, argv);
	need(much != MAP_FAILED && !pipe(go) && !pipe(go_init), "memory");
	for (size_t i = 0; i < MUCH; i += 512)
		much[i] = (char)(i >> 9 | 1);
	older = fork_task(idle, NULL);
	need(!unshare(CLONE_NEWPID), "unshare(CLONE_NEWPID)");
	need(next_is_undecided(), "pid_for_children");
	checkpoint_here();
	if (test_break() == 1) {
		int own = open("/proc/self/ns/pid", O_RDONLY);

		setns(own, CLONE_NEWPID);
	}
	if (test_break() == 2) {
		int ended = fork();

		if (!ended)
			_exit(0);
		waitpid(ended, NULL, 0);
	}
	check(next_is_undecided(), "the next child is not created in a new namespace");
	init = numbered_child(go_init[0]);
	second = numbered_child(go[0]);
	check(init > 0 && second > 0, "children: %d, %d", init, second);
	check(write(go[1], "a", 1) == 1, "pipe");
	check(status_of(second) == 2, "the second child is not process 2");
	/* With it, all others end. */
	check(write(go_init[1], "a", 1) == 1, "pipe");
	check(status_of(init) == 1, "the first child is not process 1");
	check(fork() < 0 && errno == ENOMEM, "another child, without an init");
	join_task(older);
	test_done();
}
