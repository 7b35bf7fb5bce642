// SPDX-License-Identifier: GPL-2.0-only
/*
 * cgroup namespaces: of the root of the tree, whose own group is below the root of its namespace, and another one, of a
 * child and its child. Version 2, and pids of version 1.
 * test: breaks=2 decode=yes flavours=host,pid
 */
#include "cgroup.h"
#include <sched.h>

static const char *tops[2];
static const char *const names[2] = { CGROUP_V2, "pids" };

static int of_root; /* its namespace */

static ino_t ino_of(int fd)
{
	struct stat st = { 0 };

	need(!fstat(fd, &st), "namespace");
	return st.st_ino;
}

static ino_t own(void)
{
	int fd = open("/proc/self/ns/cgroup", O_RDONLY);
	ino_t ino = ino_of(fd);

	close(fd);
	return ino;
}

static void enter(const char *group)
{
	for (int i = 0; i < 2; i++)
		cgroup_write(cgroup_path(tops[i], "%s/cgroup.procs", group), "0");
}

static void check_paths(const char *expected)
{
	for (int i = 0; i < 2; i++) {
		char path[512];

		cgroup_mine(names[i], path);
		check(!strcmp(path, expected), "it is in %s (%s), not %s", path, names[i], expected);
	}
}

static int grandchild(void *arg)
{
	checkpoint_task("grandchild", 0);
	check_paths("/");
	check(own() != ino_of(of_root), "it is in the namespace of the root");
	check(own() == ino_of(*(int *)arg), "it is in another namespace than its parent");
	return 0;
}

static int child(void *arg)
{
	int inner;
	pid_t pid;

	enter("a/b/other");
	need(!unshare(CLONE_NEWCGROUP), "unshare");
	inner = open("/proc/self/ns/cgroup", O_RDONLY);
	pid = fork_task(grandchild, &inner);
	enter("a/b/other/below");
	checkpoint_task("child", 0);
	check_paths("/below");
	check(own() != ino_of(of_root), "it is in the namespace of the root");
	join_task(pid);
	return 0;
}

int main(int argc, char **argv)
{
	pid_t pid;
	int brk;

	test_init(argc, argv);
	for (int i = 0; i < 2; i++) {
		tops[i] = cgroup_top(names[i]);
		need(!mkdir(cgroup_path(tops[i], "a"), 0755) && !mkdir(cgroup_path(tops[i], "a/b"), 0755) &&
			     !mkdir(cgroup_path(tops[i], "a/b/other"), 0755) &&
			     !mkdir(cgroup_path(tops[i], "a/b/other/below"), 0755),
		     "groups");
	}
	enter("a");
	need(!unshare(CLONE_NEWCGROUP), "unshare");
	enter("a/b");
	of_root = open("/proc/self/ns/cgroup", O_RDONLY);
	pid = fork_task(child, NULL);
	await_task("child");
	await_task("grandchild");

	brk = checkpoint_here();
	if (brk == 1)
		enter("a");
	if (brk == 2)
		unshare(CLONE_NEWCGROUP);

	check_paths("/b");
	check(own() == ino_of(of_root), "its descriptor leads to another namespace");
	join_task(pid);
	for (int i = 0; i < 2; i++) {
		cgroup_write(cgroup_path(tops[i], "../cgroup.procs"), "0");
		cgroup_remove(tops[i]);
	}
	test_done();
}
