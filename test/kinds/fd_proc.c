// SPDX-License-Identifier: GPL-2.0-only
/*
 * Files in /proc about tasks of the tree, and some about the system: open, at an offset.
 * test: flavours=host,container breaks=1
 */
#include "checkpoint.h"

static int child(void *arg)
{
	checkpoint_task("child", 0);
	await_task("end");
	return 0;
}

int main(int argc, char **argv)
{
	char path[64], buf[4096] = "", want[64];
	int self, kid, dir, meminfo;
	pid_t pid;

	test_init(argc, argv);
	pid = fork_task(child, NULL);
	await_task("child");
	self = open("/proc/self/status", O_RDONLY);
	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	kid = open(path, O_RDONLY | O_CLOEXEC);
	dir = open("/proc/self/task", O_RDONLY | O_DIRECTORY);
	meminfo = open("/proc/meminfo", O_RDONLY);
	need(self >= 0 && kid >= 0 && dir >= 0 && meminfo >= 0, "open");
	need(read(self, buf, 6) == 6, "read");
	if (checkpoint_here())
		lseek(self, 0, SEEK_SET);
	check(lseek(self, 0, SEEK_CUR) == 6, "offset %ld", (long)lseek(self, 0, SEEK_CUR));
	check(!lseek(self, 0, SEEK_SET) && read(self, buf, 13) == 13 && !memcmp(buf, "Name:\tfd_proc", 13),
	      "own status: %.13s", buf);
	memset(buf, 0, sizeof(buf));
	snprintf(want, sizeof(want), "%d (", pid);
	check(read(kid, buf, 100) > 0 && !strncmp(buf, want, strlen(want)), "child's stat %s", buf);
	snprintf(want, sizeof(want), "%d/comm", getpid());
	check(!faccessat(dir, want, R_OK, 0), "task directory");
	check(read(meminfo, buf, 9) == 9 && !memcmp(buf, "MemTotal:", 9), "meminfo %.9s", buf);
	task_ready("end");
	join_task(pid);
	test_done();
}
