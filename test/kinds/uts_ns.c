// SPDX-License-Identifier: GPL-2.0-only
/*
 * UTS namespaces of processes of one tree: the root's own, that of the rest of the system, a third one that two processes
 * share; with their names, the longest ones, too, and the descriptors by which they are held. One process has the
 * directory of a process that has exited as its working directory.
 * test: breaks=3 decode=yes
 */
#include "checkpoint.h"
#include <sched.h>
#include <sys/utsname.h>
#include <sys/wait.h>

static int outer; /* the namespace that the test was started in */
static char outer_name[65];
static char longest[65];

static void set_names(const char *host, const char *domain)
{
	need(!sethostname(host, strlen(host)) && !setdomainname(domain, strlen(domain)), "names %s, %s", host, domain);
}

static void check_names(const char *host, const char *domain)
{
	struct utsname u;

	check(!uname(&u) && !strcmp(u.nodename, host), "host %s, not %s", u.nodename, host);
	check(!domain || !strcmp(u.domainname, domain), "domain %s, not %s", u.domainname, domain);
}

static ino_t ino_of(int fd)
{
	struct stat st = { 0 };

	need(!fstat(fd, &st), "namespace");
	return st.st_ino;
}

static ino_t own(void)
{
	int fd = open("/proc/self/ns/uts", O_RDONLY);
	ino_t ino = ino_of(fd);

	close(fd);
	return ino;
}

static int in_outer(void *arg)
{
	need(!setns(outer, CLONE_NEWUTS), "setns");
	checkpoint_task("outer", 0);
	check(own() == ino_of(outer), "it is in another namespace than before");
	check_names(outer_name, NULL);
	return 0;
}

static int grandchild(void *arg)
{
	int of_root = *(int *)arg;

	checkpoint_task("grandchild", 0);
	check_names(longest, "");
	check(own() != ino_of(outer) && own() != ino_of(of_root), "it is in the root's namespace");
	return 0;
}

static int in_gone_directory(void *arg)
{
	char path[64], was[96] = "", now[96] = "";
	pid_t pid = fork();

	if (!pid)
		while (1)
			pause();
	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	need(pid > 0 && !chdir(path), "chdir %s", path);
	kill(pid, SIGKILL);
	need(waitpid(pid, NULL, 0) == pid && readlink("/proc/self/cwd", was, sizeof(was) - 1) > 0, "cwd");
	checkpoint_task("gone_directory", 0);
	check(readlink("/proc/self/cwd", now, sizeof(now) - 1) > 0 && !strcmp(was, now), "cwd %s, was %s", now, was);
	return 0;
}

static int in_third(void *arg)
{
	int third;
	pid_t pid;

	need(!unshare(CLONE_NEWUTS), "unshare");
	set_names(longest, "");
	third = open("/proc/self/ns/uts", O_RDONLY);
	pid = fork_task(grandchild, arg);
	checkpoint_task("third", 0);
	check_names(longest, "");
	check(own() == ino_of(third), "its descriptor leads to another namespace");
	/* Changes made by one of the two are seen by the other. */
	sethostname("third", 5);
	sethostname(longest, strlen(longest));
	join_task(pid);
	return 0;
}

int main(int argc, char **argv)
{
	int of_root, brk;
	pid_t pids[3];

	test_init(argc, argv);
	memset(longest, 'n', 64);
	outer = open("/proc/self/ns/uts", O_RDONLY);
	gethostname(outer_name, sizeof(outer_name));
	need(!unshare(CLONE_NEWUTS), "unshare");
	set_names("first.example", "domain of the first");
	of_root = open("/proc/self/ns/uts", O_RDONLY);
	pids[0] = fork_task(in_outer, NULL);
	pids[1] = fork_task(in_third, &of_root);
	pids[2] = fork_task(in_gone_directory, NULL);
	await_task("gone_directory");
	await_task("outer");
	await_task("third");
	await_task("grandchild");

	brk = checkpoint_here();
	if (brk == 1)
		sethostname("spoilt", 6);
	if (brk == 2)
		setdomainname("", 0);
	if (brk == 3)
		unshare(CLONE_NEWUTS);

	check_names("first.example", "domain of the first");
	check(own() == ino_of(of_root) && own() != ino_of(outer), "the root's namespace");
	for (int i = 0; i < 3; i++)
		join_task(pids[i]);
	test_done();
}
