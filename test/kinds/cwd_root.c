// SPDX-License-Identifier: GPL-2.0-only
/*
 * umask, working directory (deep, moved), a changed root, an unusual name.
 * test: flavours=host,container breaks=2 decode=yes user-root=container
 */
#include "checkpoint.h"
#include <sys/stat.h>

static int verify(const char *name, mode_t mask, const char *want_cwd)
{
	char cwd[4096] = "";
	struct stat before, after, root_before, root_after;

	umask(mask);
	stat(".", &before);
	stat("/", &root_before);
	checkpoint_task(name, 0);
	if (test_break() == 1)
		umask(0);
	check(umask(mask) == mask, "%s: umask was %o", name, mask);
	check(getcwd(cwd, sizeof(cwd)) && !strcmp(cwd, want_cwd), "%s: cwd %s, was %s", name, cwd, want_cwd);
	check(!stat(".", &after) && after.st_ino == before.st_ino && after.st_dev == before.st_dev,
	      "%s: another directory", name);
	check(!stat("/", &root_after) && root_after.st_ino == root_before.st_ino, "%s: another root", name);
	return 0;
}

static int deep(void *arg)
{
	char path[4096];

	for (int i = 0; i < 40; i++)
		need(!mkdir("a directory with a name", 0755) && !chdir("a directory with a name"), "mkdir %d", i);
	need(getcwd(path, sizeof(path)), "getcwd");
	return verify("deep", 0077, path);
}

static int moved(void *arg)
{
	mkdir("from", 0755);
	mkdir("from/below", 0755);
	need(!chdir("from/below") && !rename(test_path("from"), test_path("to \n\\ \"x\"")), "rename");
	return verify("moved", 0133, test_path("to \n\\ \"x\"/below"));
}

static int rooted(void *arg)
{
	int at, fd;

	mkdir("jail", 0755);
	mkdir("jail/in", 0755);
	need(!symlink(test_dir(), "jail/loop"), "symlink");
	at = open(".", O_RDONLY | O_DIRECTORY);
	need(!chroot("jail") && !chdir("/in"), "chroot");
	umask(027);
	fd = openat(at, "at.rooted", O_CREAT | O_WRONLY, 0666);
	need(fd >= 0, "ready");
	close(fd);
	while (faccessat(at, "go", F_OK, 0))
		sleep_ms(2);
	char cwd[4096] = "";
	if (test_break() == 2)
		need(!chdir("/"), "break");
	bool ok = getcwd(cwd, sizeof(cwd)) && !strcmp(cwd, "/in") && !access("/loop", 0) == false && umask(0) == 027 &&
		  !access("/in", F_OK) && access("/proc", F_OK) < 0;
	return ok ? 0 : 9;
}

int main(int argc, char **argv)
{
	int (*fn[])(void *) = { deep, moved, rooted };
	const char *names[] = { "deep", "moved", "rooted" };
	pid_t pids[3];

	test_init(argc, argv);
	for (int i = 0; i < 3; i++)
		pids[i] = fork_task(fn[i], NULL);
	for (int i = 0; i < 3; i++)
		await_task(names[i]);
	checkpoint_here();
	for (int i = 0; i < 3; i++)
		join_task(pids[i]);
	test_done();
}
