// SPDX-License-Identifier: GPL-2.0-only
/*
 * Time namespaces that belong to other user namespaces than that of the tree, as by unshare --user --time: of root, of an ordinary
 * user, and one in another one; with a child in the same ones. The clocks keep their offsets, and the namespaces their owners.
 * test: flavours=host,pid,user boots=others breaks=3 decode=yes
 */
#include "checkpoint.h"
#include <linux/nsfs.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <time.h>

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x80
#endif
#define SLACK 0.5

enum { OWN, CHILD, INNER, ORDINARY, NR };
static const char *const names[NR] = { "own", "child", "inner", "ordinary" };

/* Reports of the processes. */
struct report {
	double ahead; /* of the real time */
	bool owned; /* by its user namespace */
	ino_t ns;
};
static struct report *before, *after;

static bool owns_time_ns(void)
{
	int user = open("/proc/self/ns/user", O_RDONLY), ns = open("/proc/self/ns/time", O_RDONLY);
	int owner = ioctl(ns, NS_GET_USERNS);
	struct stat a = { 0 }, b = { 0 };
	bool owns = owner >= 0 && !fstat(user, &a) && !fstat(owner, &b) && a.st_ino == b.st_ino;

	close(user);
	close(ns);
	close(owner);
	return owns;
}

static double read_clock(clockid_t clock)
{
	struct timespec ts;

	need(!clock_gettime(clock, &ts), "clock %d", clock);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static struct report inspect(void)
{
	double real, mono, again;
	struct stat st = { 0 };

	/* Not with something in between that takes its time. */
	do {
		real = read_clock(CLOCK_REALTIME);
		mono = now_s();
		again = read_clock(CLOCK_REALTIME);
	} while (again - real > SLACK / 10);
	need(!stat("/proc/self/ns/time", &st), "time namespace");
	return (struct report){ mono - real, owns_time_ns(), st.st_ino };
}

static void stay(int nr)
{
	before[nr] = inspect();
	checkpoint_task(names[nr], 0);
	if (test_break() == 1 && nr == INNER)
		need(!unshare(CLONE_NEWUSER), "break");
	if (test_break() == 2 && nr == CHILD)
		need(!unshare(CLONE_NEWTIME) &&
			     !setns(open("/proc/self/ns/time_for_children", O_RDONLY), CLONE_NEWTIME),
		     "break");
	after[nr] = inspect();
}

/* New ones, whose monotonic clock is ahead of that before. */
static void enter_ahead(unsigned user, long ahead)
{
	long sec = 0, nsec = 0;
	char text[128];

	if (unshare(CLONE_NEWUSER | CLONE_NEWTIME))
		test_skip("no user or time namespaces");
	need(!prctl(PR_SET_DUMPABLE, 1), "dumpable");
	write_file("/proc/self/setgroups", "deny");
	snprintf(text, sizeof(text), "0 %u 1", user);
	write_file("/proc/self/uid_map", text);
	write_file("/proc/self/gid_map", text);
	need(read_file("/proc/self/timens_offsets", text, sizeof(text)) > 0 &&
		     sscanf(text, "monotonic %ld %ld", &sec, &nsec) == 2,
	     "offsets: %s", text);
	snprintf(text, sizeof(text), "monotonic %ld %ld", sec + ahead, nsec);
	write_file("/proc/self/timens_offsets", text);
	need(!setns(open("/proc/self/ns/time_for_children", O_RDONLY), CLONE_NEWTIME), "enter: %m");
}

static int child(void *arg)
{
	stay(CHILD);
	return 0;
}

static int inner(void *arg)
{
	enter_ahead(0, 100);
	stay(INNER);
	return 0;
}

static int own(void *arg)
{
	pid_t pids[2];

	enter_ahead(0, 1000);
	pids[0] = fork_task(child, NULL);
	await_task("child");
	pids[1] = fork_task(inner, NULL);
	await_task("inner");
	stay(OWN);
	join_task(pids[0]);
	join_task(pids[1]);
	return 0;
}

static int ordinary(void *arg)
{
	need(!setresgid(500, 500, 500) && !setresuid(500, 500, 500), "ids");
	enter_ahead(500, 50);
	stay(ORDINARY);
	return 0;
}

int main(int argc, char **argv)
{
	static const double ahead[NR] = { 1000, 1000, 1100, 50 };
	struct report root;
	pid_t pids[2];

	test_init(argc, argv);
	before = map_anon(sizeof(*before) * NR, MAP_SHARED);
	after = map_anon(sizeof(*after) * NR, MAP_SHARED);
	pids[0] = fork_task(own, NULL);
	await_task("own");
	pids[1] = fork_task(ordinary, NULL);
	await_task("ordinary");
	for (int i = 0; i < NR; i++)
		need(before[i].owned, "%s: its user namespace does not own its time namespace", names[i]);
	if (checkpoint_here() == 3)
		before[OWN].owned = false;
	for (int i = 0; i < 2; i++)
		join_task(pids[i]);
	root = inspect();
	for (int i = 0; i < NR; i++) {
		double is = after[i].ahead - root.ahead;

		check(is > ahead[i] - SLACK && is < ahead[i] + SLACK, "%s: its clock is %f s ahead, not %f", names[i],
		      is, ahead[i]);
		check(after[i].owned == before[i].owned, "%s: its user namespace %s its time namespace", names[i],
		      after[i].owned ? "owns" : "does not own");
		check(after[i].ns != root.ns, "%s: it is in the time namespace of the root", names[i]);
	}
	check(after[OWN].ns == after[CHILD].ns, "processes that shared a namespace are in two");
	check(after[OWN].ns != after[INNER].ns && after[OWN].ns != after[ORDINARY].ns,
	      "two namespaces have become one");
	test_done();
}
