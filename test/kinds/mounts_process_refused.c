// SPDX-License-Identifier: GPL-2.0-only
/*
 * Mounts on files in proc that do not exist when mounts are restored: of a process that has exited, and of a thread;
 * and one that shows a file of a thread.
 * test: refused="(?s)is on a file of a thread.*is on a file of a process that has exited.*shows a file of a thread" options=--external,mnt[]
 */
#include "checkpoint.h"
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>

static void mask(const char *from, pid_t pid, const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "proc/%d/%s", (int)pid, name);
	need(!mount(from, path, NULL, MS_BIND, NULL), "bind to %s: %m", path);
}

int main(int argc, char **argv)
{
	char path[128];
	pid_t pid;
	int end[2];

	test_init(argc, argv);
	need(!mkdir("proc", 0755) && !mkdir("tmp", 0755) && !pipe(end), "directories");
	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		test_skip("no mount namespaces");
	need(!mount("proc", "proc", "proc", 0, NULL) && !mount("tmp", "tmp", "tmpfs", 0, "size=1m"), "mount: %m");
	write_file("tmp/mask", "masked");
	write_file("tmp/shown", "");
	pid = fork();
	if (!pid) {
		close(end[1]);
		_exit((int)read(end[0], path, 1));
	}
	mask("tmp/mask", pid, "status");
	close(end[0]);
	close(end[1]);
	await_state(pid, 'Z');
	snprintf(path, sizeof(path), "task/%d/stat", (int)getpid());
	mask("tmp/mask", getpid(), path);
	snprintf(path, sizeof(path), "proc/%d/task/%d/statm", (int)getpid(), (int)getpid());
	need(!mount(path, "tmp/shown", NULL, MS_BIND, NULL), "bind: %m");
	if (checkpoint_here())
		umount2("tmp/shown", MNT_DETACH);
	check(read_file("tmp/shown", path, sizeof(path)) > 0, "what it shows");
	need(waitpid(pid, NULL, 0) == pid, "wait");
	test_done();
}
