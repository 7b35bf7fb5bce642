// SPDX-License-Identifier: GPL-2.0-only
/*
 * A tree with processes in several time namespaces: each is restored to one with those that it shared it with, and the
 * clocks keep their offsets.
 * test: boots=others breaks=2 decode=yes
 */
#include "checkpoint.h"
#include <sched.h>
#include <time.h>

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x80
#endif
#define SLACK 0.5

enum { BELOW, CHILD_OF_IT, ENTERED, SECOND, NR };

/* Reports of the processes at the end. */
struct report {
	double ahead; /* of the real time */
	long long offset;
	ino_t ns;
};
static struct report *reports;
static int below_ns;

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

static struct report inspect(void)
{
	struct timespec mono, real;

	clock_gettime(CLOCK_MONOTONIC, &mono);
	clock_gettime(CLOCK_REALTIME, &real);
	return (struct report){ (double)(mono.tv_sec - real.tv_sec) + (double)(mono.tv_nsec - real.tv_nsec) / 1e9,
				offset_of(getpid()), ns_of("/proc/self/ns/time") };
}

static int second(void *arg)
{
	checkpoint_task("second", 0);
	reports[SECOND] = inspect();
	return 0;
}

static int child_of_it(void *arg)
{
	checkpoint_task("child", 0);
	reports[CHILD_OF_IT] = inspect();
	return 0;
}

static int below(void *arg)
{
	pid_t pid = fork_task(child_of_it, NULL);

	checkpoint_task("below", 0);
	if (test_break() == 1) {
		char path[64];

		snprintf(path, sizeof(path), "/proc/%d/ns/time", getppid());
		need(!setns(open(path, O_RDONLY), CLONE_NEWTIME), "break");
	}
	reports[BELOW] = inspect();
	join_task(pid);
	return 0;
}

static int entered(void *arg)
{
	need(!setns(below_ns, CLONE_NEWTIME), "setns");
	close(below_ns);
	checkpoint_task("entered", 0);
	if (test_break() == 2)
		need(!unshare(CLONE_NEWTIME) &&
			     !setns(open("/proc/self/ns/time_for_children", O_RDONLY), CLONE_NEWTIME),
		     "break");
	reports[ENTERED] = inspect();
	return 0;
}

/* A child in its own namespace, whose monotonic clock is ahead of ours. */
static pid_t fork_ahead(long ahead, int (*fn)(void *))
{
	int own = open("/proc/self/ns/time", O_RDONLY);
	long sec = 0, nsec = 0;
	char text[128];
	pid_t pid;

	if (unshare(CLONE_NEWTIME))
		test_skip("no time namespaces");
	need(read_file("/proc/self/timens_offsets", text, sizeof(text)) > 0 &&
		     sscanf(text, "monotonic %ld %ld", &sec, &nsec) == 2,
	     "offsets: %s", text);
	snprintf(text, sizeof(text), "monotonic %ld %ld", sec + ahead, nsec);
	write_file("/proc/self/timens_offsets", text);
	pid = fork_task(fn, NULL);
	need(!setns(own, CLONE_NEWTIME), "back");
	close(own);
	return pid;
}

static void check_ahead(int which, const struct report *root, double ahead)
{
	double is = reports[which].ahead - root->ahead;

	check(is > ahead - SLACK && is < ahead + SLACK, "%d: its clock is %f s ahead, not %f", which, is, ahead);
}

int main(int argc, char **argv)
{
	struct report root;
	long long apart[2];
	pid_t pids[3];
	char path[64];

	test_init(argc, argv);
	reports = map_anon(sizeof(*reports) * NR, MAP_SHARED);
	pids[0] = fork_ahead(1000, below);
	await_task("below");
	await_task("child");
	snprintf(path, sizeof(path), "/proc/%d/ns/time", pids[0]);
	below_ns = open(path, O_RDONLY);
	pids[1] = fork_task(entered, NULL);
	close(below_ns);
	await_task("entered");
	pids[2] = fork_ahead(-10, second);
	await_task("second");
	apart[0] = offset_of(pids[0]) - offset_of(getpid());
	apart[1] = offset_of(pids[2]) - offset_of(getpid());

	checkpoint_here();
	for (int i = 0; i < 3; i++)
		join_task(pids[i]);
	root = inspect();
	check_ahead(BELOW, &root, 1000);
	check_ahead(CHILD_OF_IT, &root, 1000);
	check_ahead(ENTERED, &root, 1000);
	check_ahead(SECOND, &root, -10);
	check(reports[BELOW].offset - root.offset == apart[0] && reports[SECOND].offset - root.offset == apart[1],
	      "their clocks are %lld and %lld ns further apart", reports[BELOW].offset - root.offset - apart[0],
	      reports[SECOND].offset - root.offset - apart[1]);
	check(reports[BELOW].ns == reports[CHILD_OF_IT].ns && reports[BELOW].ns == reports[ENTERED].ns,
	      "processes that shared a namespace are in several");
	check(reports[BELOW].ns != root.ns && reports[SECOND].ns != root.ns && reports[SECOND].ns != reports[BELOW].ns,
	      "different namespaces have become one");
	test_done();
}
