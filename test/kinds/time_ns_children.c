// SPDX-License-Identifier: GPL-2.0-only
/*
 * Processes that have unshared a time namespace for their children, and are in another one themselves: with children in both,
 * from before and after; without any, with and without offsets, which can still be set then; with threads, and as another user.
 * test: boots=others breaks=4 decode=yes
 */
#include "checkpoint.h"
#include <pthread.h>
#include <sched.h>
#include <sys/wait.h>
#include <time.h>

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x80
#endif
#define SLACK 0.5

enum { PARENT, BEFORE, AFTER, BELOW_AFTER, BACK, LATER, SET, SET_CHILD, UNSET_CHILD, OWN, NR };

struct report {
	double ahead; /* of the real time */
	long long offset; /* of its children */
	ino_t ns, next;
};
static struct report *reports;

static ino_t ns_of(const char *path)
{
	struct stat st;

	need(!stat(path, &st), "%s", path);
	return st.st_ino;
}

/* Of the monotonic clock of its children, to the initial namespace. */
static long long offset_of(pid_t pid)
{
	char path[64], text[128];
	long long sec = 0, nsec = 0;

	snprintf(path, sizeof(path), "/proc/%d/timens_offsets", pid);
	need(read_file(path, text, sizeof(text)) > 0 && sscanf(text, "monotonic %lld %lld", &sec, &nsec) == 2,
	     "offsets: %s", text);
	return sec * 1000000000 + nsec;
}

static void report(int which)
{
	struct timespec mono, real;

	clock_gettime(CLOCK_MONOTONIC, &mono);
	clock_gettime(CLOCK_REALTIME, &real);
	reports[which] =
		(struct report){ (double)(mono.tv_sec - real.tv_sec) + (double)(mono.tv_nsec - real.tv_nsec) / 1e9,
				 offset_of(getpid()), ns_of("/proc/self/ns/time"),
				 ns_of("/proc/self/ns/time_for_children") };
}

static void unshare_time(void)
{
	if (unshare(CLONE_NEWTIME))
		test_skip("no time namespaces");
}

/* Also of what will be in it: the file shows what has been written. */
static void set_ahead(long ahead)
{
	char text[128];
	long sec = 0, nsec = 0;

	need(read_file("/proc/self/timens_offsets", text, sizeof(text)) > 0 &&
		     sscanf(text, "monotonic %ld %ld", &sec, &nsec) == 2,
	     "offsets: %s", text);
	snprintf(text, sizeof(text), "monotonic %ld %ld", sec + ahead, nsec);
	write_file("/proc/self/timens_offsets", text);
}

static int report_at_once(void *arg)
{
	report((int)(intptr_t)arg);
	return 0;
}

static void fork_and_report(int which)
{
	join_task(fork_task(report_at_once, (void *)(intptr_t)which));
}

static const char *const names[NR] = { [BEFORE] = "before", [BELOW_AFTER] = "below", [BACK] = "back" };

static int member(void *arg)
{
	int which = (int)(intptr_t)arg;

	checkpoint_task(names[which], 0);
	report(which);
	return 0;
}

static int returned(void *arg)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/ns/time", *(pid_t *)arg);
	need(!setns(open(path, O_RDONLY), CLONE_NEWTIME), "setns");
	return member((void *)BACK);
}

static int after(void *arg)
{
	pid_t pids[] = { fork_task(member, (void *)BELOW_AFTER), fork_task(returned, arg) };

	await_task("below");
	await_task("back");
	checkpoint_task("after", 0);
	report(AFTER);
	for (int i = 0; i < 2; i++)
		join_task(pids[i]);
	return 0;
}

static void *idle(void *arg)
{
	for (;;)
		pause();
	return arg;
}

static int parent(void *arg)
{
	pid_t self = getpid(), pids[2];
	pthread_t thread;

	pids[0] = fork_task(member, (void *)BEFORE);
	await_task("before");
	unshare_time();
	set_ahead(1000);
	pids[1] = fork_task(after, &self);
	await_task("after");
	pthread_create(&thread, NULL, idle, NULL);
	checkpoint_task("parent", 0);
	if (test_break() == 1)
		need(!setns(open("/proc/self/ns/time", O_RDONLY), CLONE_NEWTIME), "break");
	report(PARENT);
	fork_and_report(LATER);
	for (int i = 0; i < 2; i++)
		join_task(pids[i]);
	return 0;
}

static int set(void *arg)
{
	pthread_t thread;

	unshare_time();
	set_ahead(-10);
	pthread_create(&thread, NULL, idle, NULL);
	need(!setresgid(65534, 65534, 65534) && !setresuid(65534, 65534, 65534), "become another user");
	checkpoint_task("set", 0);
	if (test_break() == 2)
		return 1;
	report(SET);
	fork_and_report(SET_CHILD);
	return 0;
}

static int unset(void *arg)
{
	unshare_time();
	checkpoint_task("unset", 0);
	if (test_break() == 3)
		fork_and_report(UNSET_CHILD);
	set_ahead(test_break() == 4 ? 70 : 77);
	fork_and_report(UNSET_CHILD);
	return 0;
}

static void check_ahead(int which, double of, double ahead)
{
	double is = reports[which].ahead - of;

	check(is > ahead - SLACK && is < ahead + SLACK, "%d: its clock is %f s ahead, not %f", which, is, ahead);
}

int main(int argc, char **argv)
{
	const struct report *r;
	struct report own;
	long long apart[2];
	pid_t pids[3];
	struct stat kept;
	char path[64];
	int fd;

	test_init(argc, argv);
	r = reports = map_anon(sizeof(*reports) * NR, MAP_SHARED);
	pids[0] = fork_task(parent, NULL);
	await_task("parent");
	pids[1] = fork_task(set, NULL);
	pids[2] = fork_task(unset, NULL);
	await_task("set");
	await_task("unset");
	/* From outside of those that inherit a descriptor of it at a restore. */
	snprintf(path, sizeof(path), "/proc/%d/ns/time_for_children", pids[0]);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	need(fd >= 0, "open %s", path);
	for (int i = 0; i < 2; i++)
		apart[i] = offset_of(pids[i]) - offset_of(getpid());

	checkpoint_here();
	need(!fstat(fd, &kept), "fstat");
	for (int i = 0; i < 3; i++)
		join_task(pids[i]);
	report(OWN);
	own = reports[OWN];
	check_ahead(PARENT, own.ahead, 0);
	check_ahead(BEFORE, own.ahead, 0);
	check_ahead(BACK, own.ahead, 0);
	check_ahead(AFTER, own.ahead, 1000);
	check_ahead(BELOW_AFTER, own.ahead, 1000);
	check_ahead(LATER, own.ahead, 1000);
	check_ahead(SET, own.ahead, 0);
	check_ahead(SET_CHILD, own.ahead, -10);
	check_ahead(UNSET_CHILD, own.ahead, 77);
	check(r[AFTER].offset - own.offset == apart[0] && r[SET_CHILD].offset - own.offset == apart[1],
	      "their clocks are %lld and %lld ns further apart", r[AFTER].offset - own.offset - apart[0],
	      r[SET_CHILD].offset - own.offset - apart[1]);
	check(r[PARENT].ns == own.ns && r[BEFORE].ns == own.ns && r[BACK].ns == own.ns && r[SET].ns == own.ns,
	      "what was in one namespace is in several");
	check(r[PARENT].next == r[AFTER].ns && r[PARENT].next == r[BELOW_AFTER].ns && r[PARENT].next == r[LATER].ns &&
		      r[PARENT].next == kept.st_ino,
	      "the namespace for children is another one than that of the children");
	check(r[AFTER].next == r[AFTER].ns && r[BEFORE].next == own.ns && r[BACK].next == own.ns,
	      "other processes have one for their children, too");
	check(r[SET].next == r[SET_CHILD].ns && r[SET].next != own.ns && r[SET].next != r[PARENT].next,
	      "different namespaces have become one");
	test_done();
}
