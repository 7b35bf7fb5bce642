// SPDX-License-Identifier: GPL-2.0-only
/*
 * Namespaces that are bound to files: the network and the UTS namespace of a child, the pid and IPC namespace of the root, one that
 * the tree shares with the tool; in a shared directory, as ip netns does it, and with a second mount of one; a descriptor of such
 * a file; and a file that is used to enter the namespace; a nested pid namespace, also on a mount that shows it.
 * test: flavours=container breaks=4 decode=yes ignore=.
 */
#include "checkpoint.h"
#include <sched.h>
#include <sys/mount.h>

static int child(void *arg)
{
	need(!unshare(CLONE_NEWNET | CLONE_NEWUTS) && !sethostname("inner", 5), "namespaces (errno %d)", errno);
	checkpoint_task("child", 0);
	wait_go(1);
	return 0;
}

static int init_of_nested(void *arg)
{
	checkpoint_task("init", 0);
	wait_go(2);
	return 0;
}

/* -> in our pid namespace */
static pid_t fork_nested(void)
{
	int own = open("/proc/self/ns/pid", O_RDONLY);
	pid_t pid;

	need(own >= 0 && !unshare(CLONE_NEWPID), "pid namespace");
	pid = fork_task(init_of_nested, NULL);
	need(!setns(own, CLONE_NEWPID), "back");
	close(own);
	return pid;
}

static void bind_ns(const char *pid, const char *name, const char *file)
{
	char from[64];

	snprintf(from, sizeof(from), "/proc/%s/ns/%s", pid, name);
	write_file(test_path(file), "");
	need(!mount(from, test_path(file), NULL, MS_BIND, NULL), "bind %s (errno %d)", from, errno);
}

static void check_ns(const char *pid, const char *name, const char *file)
{
	struct stat a = { 0 }, b = { 0 };
	char from[64];

	snprintf(from, sizeof(from), "/proc/%s/ns/%s", pid, name);
	need(!stat(from, &a) && !stat(test_path(file), &b), "%s or %s is missing (errno %d)", from, file, errno);
	check(a.st_ino == b.st_ino && a.st_dev == b.st_dev, "%s shows %lu, %s is %lu", file, (long)b.st_ino, from,
	      (long)a.st_ino);
}

static int look_inside(void *arg)
{
	int fd = open(test_path("run/uts"), O_RDONLY);
	char name[65] = "";

	check(fd >= 0 && !setns(fd, CLONE_NEWUTS) && !gethostname(name, sizeof(name)) && !strcmp(name, "inner"),
	      "the host name inside: '%s' (errno %d)", name, errno);
	return 0;
}

static bool is_shared(const char *file)
{
	FILE *f = fopen("/proc/self/mountinfo", "r");
	char line[2048];
	bool shared = false;

	while (f && fgets(line, sizeof(line), f))
		if (strstr(line, file))
			shared |= strstr(line, " shared:") != NULL;
	if (f)
		fclose(f);
	return shared;
}

int main(int argc, char **argv)
{
	struct stat a = { 0 }, b = { 0 };
	char pid[16], init[16];
	pid_t task, nested;
	int fd;

	test_init(argc, argv);
	task = fork_task(child, NULL);
	await_task("child");
	snprintf(pid, sizeof(pid), "%d", task);
	nested = fork_nested();
	await_task("init");
	snprintf(init, sizeof(init), "%d", nested);
	need(!mkdir(test_path("run"), 0755), "mkdir");
	need(!mount("run", test_path("run"), "tmpfs", 0, NULL) && !mount(NULL, test_path("run"), NULL, MS_SHARED, NULL),
	     "tmpfs");
	bind_ns(pid, "net", "run/net");
	bind_ns(pid, "uts", "run/uts");
	bind_ns("self", "pid", "pid");
	bind_ns(init, "pid", "run/nested");
	bind_ns(init, "pid", "nested");
	bind_ns("self", "ipc", "ipc");
	bind_ns("self", "cgroup", "cgroup");
	write_file(test_path("again"), "");
	need(!mount(test_path("run/net"), test_path("again"), NULL, MS_BIND, NULL), "bind");
	fd = open(test_path("run/net"), O_RDONLY);
	need(fd >= 0 && is_shared("run/net"), "open");
	switch (checkpoint_here()) {
	case 1:
		umount(test_path("run/uts"));
		break;
	case 2:
		umount(test_path("again"));
		break;
	case 4:
		umount(test_path("nested"));
		break;
	case 3:
		mount(NULL, test_path("run/net"), NULL, MS_PRIVATE, NULL);
		break;
	}
	check_ns(pid, "net", "run/net");
	check_ns(pid, "net", "again");
	check_ns(pid, "uts", "run/uts");
	check_ns("self", "pid", "pid");
	check_ns(init, "pid", "run/nested");
	check_ns(init, "pid", "nested");
	check_ns("self", "ipc", "ipc");
	check_ns("self", "cgroup", "cgroup");
	check(is_shared("run/net"), "it is not shared");
	check(!fstat(fd, &a) && !stat(test_path("again"), &b) && a.st_ino == b.st_ino, "descriptor");
	join_task(fork_task(look_inside, NULL));
	write_file(test_path("go.1"), "");
	write_file(test_path("go.2"), "");
	join_task(task);
	join_task(nested);
	test_done();
}
