// SPDX-License-Identifier: GPL-2.0-only
/*
 * Open namespaces: our own of each type, those of a child, one bound to a path; afterwards they can be compared, and
 * used for setns(2).
 * test: breaks=2 decode=yes
 */
#include "checkpoint.h"
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>

static const char *const types[] = { "pid", "net", "ipc", "uts", "time", "mnt", "user", "cgroup", "pid_for_children" };
#define NR_TYPES (int)(sizeof(types) / sizeof(types[0]))

static int sleeper(void *arg)
{
	checkpoint_task("sleeper", 0);
	return 0;
}

static bool same(int fd, const char *path)
{
	struct stat a, b;

	return !fstat(fd, &a) && !stat(path, &b) && a.st_ino == b.st_ino && a.st_dev == b.st_dev;
}

int main(int argc, char **argv)
{
	int own[NR_TYPES], kids, bound, brk;
	char path[64];
	pid_t pid, maker;

	test_init(argc, argv);
	for (int i = 0; i < NR_TYPES; i++) {
		snprintf(path, sizeof(path), "/proc/self/ns/%s", types[i]);
		own[i] = open(path, O_RDONLY | (i & 1 ? O_CLOEXEC : 0));
		need(own[i] >= 0, "%s", path);
	}
	pid = fork_task(sleeper, NULL);
	snprintf(path, sizeof(path), "/proc/%d/ns/uts", pid);
	kids = open(path, O_RDONLY);
	await_task("sleeper");
	/* A namespace without processes, bound to a path. */
	write_file("bound", "");
	maker = fork();
	if (!maker)
		_exit(unshare(CLONE_NEWUTS) || sethostname("elsewhere", 9) ||
		      mount("/proc/self/ns/uts", "bound", NULL, MS_BIND, NULL));
	int status;
	need(waitpid(maker, &status, 0) == maker && !status, "make a namespace");
	bound = open("bound", O_RDONLY);
	need(bound >= 0 && !same(bound, "/proc/self/ns/uts"), "bound");

	brk = checkpoint_here();
	if (brk == 1)
		dup2(own[0], own[1]);
	if (brk == 2)
		dup2(own[3], bound);

	for (int i = 0; i < NR_TYPES; i++) {
		snprintf(path, sizeof(path), "/proc/self/ns/%s", types[i]);
		check(same(own[i], path), "%s", path);
		check(fcntl(own[i], F_GETFD) == (i & 1 ? FD_CLOEXEC : 0), "flags of %s", path);
	}
	check(same(kids, "/proc/self/ns/uts"), "the child's");
	check(same(bound, "bound"), "the bound one");
	maker = fork();
	if (!maker) {
		char name[64] = "";

		_exit(setns(bound, CLONE_NEWUTS) || gethostname(name, sizeof(name)) || strcmp(name, "elsewhere"));
	}
	check(waitpid(maker, &status, 0) == maker && !status, "enter the bound namespace: status %x", status);
	join_task(pid);
	umount2("bound", MNT_DETACH);
	test_done();
}
