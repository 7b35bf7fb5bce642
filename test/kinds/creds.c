// SPDX-License-Identifier: GPL-2.0-only
/*
 * Credentials: children with various ids, groups, capabilities, securebits; an unprivileged user; a thread with its
 * own.
 * test: flavours=host,container,user,owned,rootless breaks=2 decode=yes user-root=host
 */
#include "checkpoint.h"
#include <grp.h>
#include <pthread.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <stdio.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LINES "Uid:\nGid:\nGroups:\nCapInh:\nCapPrm:\nCapEff:\nCapBnd:\nCapAmb:\nNoNewPrivs:\n"

/* The lines of /proc/thread-self/status about credentials, and securebits. */
static void creds(char *out, size_t size)
{
	char buf[8192], *save = NULL, key[64];
	size_t len = 0;

	read_file("/proc/thread-self/status", buf, sizeof(buf));
	for (char *line = strtok_r(buf, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		snprintf(key, sizeof(key), "%.*s:\n", (int)strcspn(line, ":"), line);
		if (strstr(LINES, key))
			len += snprintf(out + len, size - len, "%s\n", line);
	}
	snprintf(out + len, size - len, "securebits %x keepcaps %d", prctl(PR_GET_SECUREBITS), prctl(PR_GET_KEEPCAPS));
}

static void caps(uint64_t permitted, uint64_t effective, uint64_t inheritable)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = {
		{ (uint32_t)effective, (uint32_t)permitted, (uint32_t)inheritable },
		{ effective >> 32, permitted >> 32, inheritable >> 32 },
	};

	need(!syscall(SYS_capset, &head, data), "capset");
}

static int verify(const char *name)
{
	char before[2048], after[2048];

	creds(before, sizeof(before));
	checkpoint_task(name, 0);
	if (test_break() == 1 && !strcmp(name, "ids"))
		setfsuid(0);
	if (test_break() == 2 && !strcmp(name, "few caps"))
		prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	creds(after, sizeof(after));
	check(!strcmp(before, after), "%s:\n%s\nwas:\n%s", name, after, before);
	return 0;
}

static int ordinary(void *arg)
{
	gid_t groups[] = { 100, 1003, 65000 };

	need(!setgroups(3, groups) && !setresgid(1001, 1001, 1001) && !setresuid(1001, 1001, 1001), "ids");
	prctl(PR_SET_DUMPABLE, 1);
	verify("ordinary");
	check(setuid(0) < 0, "an unprivileged user became root");
	check(access("/etc/shadow", R_OK) < 0, "an unprivileged user can read the shadow file");
	return 0;
}

static int ids(void *arg)
{
	need(!setgroups(0, NULL), "groups");
	need(!setresgid(5, 6, 7) && !setresuid(0, 1002, 1003), "ids");
	setfsgid(9);
	prctl(PR_SET_DUMPABLE, 1);
	return verify("ids");
}

static int few_caps(void *arg)
{
	prctl(PR_CAPBSET_DROP, CAP_MKNOD);
	prctl(PR_CAPBSET_DROP, CAP_SYS_MODULE);
	prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP | SECBIT_KEEP_CAPS | SECBIT_NOROOT_LOCKED);
	caps(1 << CAP_CHOWN | 1 << CAP_KILL | 1 << CAP_SYS_PTRACE | 1 << CAP_SETPCAP, 1 << CAP_KILL,
	     1 << CAP_CHOWN | 1 << CAP_KILL);
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_KILL, 0, 0);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	return verify("few caps");
}

static int no_caps(void *arg)
{
	caps(0, 0, 0);
	return verify("no caps");
}

static void *own_thread(void *arg)
{
	static int *ret;

	/* raw system calls: libc's would change all threads */
	syscall(SYS_setgroups, 1, (gid_t[]){ 77 });
	syscall(SYS_setresgid, 1010, 1010, 1010);
	syscall(SYS_setresuid, 1010, 1011, 1012);
	verify("thread");
	return ret;
}

static int thread_creds(void *arg)
{
	pthread_t t;

	pthread_create(&t, NULL, own_thread, NULL);
	await_task("thread");
	verify("leader of thread");
	pthread_join(t, NULL);
	check(getuid() == 0, "the thread's ids went to the leader");
	return 0;
}

int main(int argc, char **argv)
{
	int (*fn[])(void *) = { ordinary, ids, few_caps, no_caps, thread_creds };
	const char *names[] = { "ordinary", "ids", "few caps", "no caps", "leader of thread" };
	pid_t pids[5];

	test_init(argc, argv);
	for (int i = 0; i < 5; i++)
		pids[i] = fork_task(fn[i], NULL);
	for (int i = 0; i < 5; i++)
		await_task(names[i]);
	checkpoint_here();
	for (int i = 0; i < 5; i++)
		join_task(pids[i]);
	test_done();
}
