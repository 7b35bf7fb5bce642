// SPDX-License-Identifier: GPL-2.0-only
/*
 * Threads that are other users than the first one of their process, with other groups and capabilities, in user namespaces of some
 * processes: one level and two levels below that of the root, and where the first one has no number. Seen by the root, which
 * knows all of them.
 * test: flavours=host,user breaks=3 decode=yes
 */
#include "checkpoint.h"
#include <grp.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#define PROCESSES 3
#define THREADS 4
#define LINES 10

static const char *const keys[LINES] = { "Uid:",    "Gid:",    "Groups:", "CapInh:",	 "CapPrm:",
					 "CapEff:", "CapBnd:", "CapAmb:", "NoNewPrivs:", "Seccomp:" };

struct who {
	char path[64]; /* in /proc, of a thread */
	char lines[LINES][128];
};

/* In shared memory. */
static struct shared {
	char process[PROCESSES][16];
	struct who who[PROCESSES][THREADS];
} * shared;

static int looked, hold, over, entered, mapped[PROCESSES]; /* eventfds */
static int process;

static void take(int fd)
{
	uint64_t one;

	need(read(fd, &one, sizeof(one)) == sizeof(one), "eventfd");
}

static void put(int fd, uint64_t n)
{
	need(write(fd, &n, sizeof(n)) == sizeof(n), "eventfd");
}

static void name_self(int nr)
{
	char name[32] = "";

	need(readlink("/proc/thread-self", name, sizeof(name) - 1) > 0, "/proc/thread-self: %m");
	snprintf(shared->who[process][nr].path, sizeof(shared->who[process][nr].path), "/proc/%s/status", name);
}

static void set_ids(int type, unsigned a, unsigned b, unsigned c)
{
	need(!syscall(type, a, b, c), "ids %u %u %u: %m", a, b, c);
}

/* Raw calls: for this thread only. */
static void become(int nr)
{
	struct sock_filter code[] = { BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW) };
	struct sock_fprog filter = { 1, code };
	static const unsigned groups[] = { 9, 3, 14 };

	if (nr == 1) {
		need(!syscall(SYS_setgroups, 3, groups), "setgroups: %m");
		set_ids(SYS_setresgid, 4, 5, 6);
		set_ids(SYS_setresuid, 7, 0, 8);
		syscall(SYS_setfsuid, 9);
		need(!prctl(PR_CAPBSET_DROP, CAP_SYS_BOOT, 0, 0, 0), "bounding set");
	}
	/* Its filter is one that its capabilities allowed, which it has lost since. */
	if (nr == 2) {
		need(!prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter), "filter: %m");
		set_ids(SYS_setresuid, 10, 10, 10);
	}
	/* Some stay those of the first one. */
	if (nr == 3) {
		set_ids(SYS_setresgid, -1u, 11, -1u);
		set_ids(SYS_setresuid, 12, -1u, -1u);
	}
}

static void stay(int nr)
{
	name_self(nr);
	put(looked, 1);
	take(hold);
	if (test_break() == 1 && process == 0 && nr == 2)
		set_ids(SYS_setresuid, 10, 10, 10), prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (test_break() == 2 && process == 1 && nr == 1)
		set_ids(SYS_setresuid, -1u, -1u, 7);
	if (test_break() == 3 && process == 2 && nr == 1)
		need(!syscall(SYS_setgroups, 0, NULL), "setgroups");
	name_self(nr);
	put(looked, 1);
	take(over);
}

static void *thread(void *arg)
{
	become((int)(intptr_t)arg);
	stay((int)(intptr_t)arg);
	return NULL;
}

static void run_threads(void)
{
	pthread_t ids[THREADS];

	for (intptr_t i = 1; i < THREADS; i++)
		need(!pthread_create(&ids[i], NULL, thread, (void *)i), "thread");
	stay(0);
	for (int i = 1; i < THREADS; i++)
		need(!pthread_join(ids[i], NULL), "join");
}

/* The maps are written by the root. */
static void enter(void)
{
	need(readlink("/proc/self", shared->process[process], 15) > 0, "/proc/self: %m");
	if (unshare(CLONE_NEWUSER))
		test_skip("no user namespaces");
	need(!prctl(PR_SET_DUMPABLE, 1), "dumpable");
	put(entered, 1);
	take(mapped[process]);
}

static void map(int nr, const char *text)
{
	char path[64];

	take(entered);
	for (int group = 0; group < 2; group++) {
		snprintf(path, sizeof(path), "/proc/%s/%s", shared->process[nr], group ? "gid_map" : "uid_map");
		write_file(path, text);
	}
	put(mapped[nr], 1);
}

static int shifted(void *arg)
{
	enter();
	run_threads();
	return 0;
}

/* As an ordinary user, who has no number there. */
static int unmapped(void *arg)
{
	static const unsigned groups[] = { 900, 3 };

	need(!syscall(SYS_setgroups, 2, groups), "setgroups");
	set_ids(SYS_setresgid, 900, 901, 902);
	set_ids(SYS_setresuid, 910, 911, 910);
	process = 1;
	enter();
	run_threads();
	return 0;
}

/* Only a process in its parent may write the maps of the second one; without one there, it could not be restored. */
static int write_second(void *arg)
{
	map(2, "0 0 1\n1 101 50\n");
	wait_go(0);
	return 0;
}

static int twice(void *arg)
{
	pid_t pid;

	process = 2;
	enter();
	pid = fork_task(write_second, NULL);
	need(!unshare(CLONE_NEWUSER), "unshare: %m");
	need(!prctl(PR_SET_DUMPABLE, 1), "dumpable");
	put(entered, 1);
	take(mapped[process]);
	run_threads();
	join_task(pid);
	return 0;
}

static void read_lines(char to[LINES][128], const char *path)
{
	char text[4096] = "";

	need(read_file(path, text, sizeof(text)) > 0, "%s", path);
	for (int i = 0; i < LINES; i++) {
		const char *at = strstr(text, keys[i]);

		need(at, "%s: %s", path, keys[i]);
		snprintf(to[i], sizeof(to[i]), "%.*s", (int)strcspn(at, "\n"), at);
	}
}

static void look(bool compare)
{
	for (int p = 0; p < PROCESSES; p++)
		for (int t = 0; t < THREADS; t++) {
			struct who *who = &shared->who[p][t];
			char now[LINES][128];

			read_lines(compare ? now : who->lines, who->path);
			for (int i = 0; compare && i < LINES; i++)
				check(!strcmp(now[i], who->lines[i]), "process %d, thread %d: %s, was %s", p, t, now[i],
				      who->lines[i]);
		}
}

static void await_all(void)
{
	for (int i = 0; i < PROCESSES * THREADS; i++)
		take(looked);
}

int main(int argc, char **argv)
{
	static int (*const fns[PROCESSES])(void *) = { shifted, unmapped, twice };
	static const char *const maps[PROCESSES] = { "0 0 1\n1 101 50\n", "0 100 50\n", "0 0 1\n10 200 200\n" };
	pid_t pids[PROCESSES];

	test_init(argc, argv);
	looked = eventfd(0, EFD_SEMAPHORE);
	hold = eventfd(0, EFD_SEMAPHORE);
	over = eventfd(0, EFD_SEMAPHORE);
	entered = eventfd(0, EFD_SEMAPHORE);
	for (int i = 0; i < PROCESSES; i++)
		mapped[i] = eventfd(0, EFD_SEMAPHORE);
	shared = map_anon(sizeof(*shared), MAP_SHARED);
	for (int i = 0; i < PROCESSES; i++) {
		pids[i] = fork_task(fns[i], NULL);
		map(i, maps[i]);
	}
	await_all();
	look(false);
	/* They are what was asked for, where numbers are others. */
	check(!strcmp(shared->who[0][1].lines[0], "Uid:\t107\t0\t108\t109"), "%s", shared->who[0][1].lines[0]);
	check(!strcmp(shared->who[1][3].lines[1], "Gid:\t900\t111\t902\t111"), "%s", shared->who[1][3].lines[1]);
	checkpoint_here();
	put(hold, PROCESSES * THREADS);
	await_all();
	look(true);
	put(over, PROCESSES * THREADS);
	for (int i = 0; i < PROCESSES; i++)
		join_task(pids[i]);
	test_done();
}
