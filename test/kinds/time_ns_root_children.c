// SPDX-License-Identifier: GPL-2.0-only
/*
 * The root of the tree is alone in a time namespace, and has unshared another one for its children: only inside of the first can its
 * offsets be read. Its clock continues, and that of its children is as far ahead of it as it was.
 * test: boots=others decode=yes breaks=1
 */
#include "checkpoint.h"
#include <sched.h>
#include <time.h>

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x80
#endif
#define SECOND 1000000000ll
#define AHEAD 100000ll
#define CHILD_AHEAD 1000ll

static long long now(void)
{
	struct timespec mono;

	clock_gettime(CLOCK_MONOTONIC, &mono);
	return mono.tv_sec * SECOND + mono.tv_nsec;
}

static void unshare_ahead(long long ahead)
{
	long long sec = 0, nsec = 0;
	char text[128];

	if (unshare(CLONE_NEWTIME))
		test_skip("no time namespaces");
	need(read_file("/proc/self/timens_offsets", text, sizeof(text)) > 0 &&
		     sscanf(text, "monotonic %lld %lld", &sec, &nsec) == 2,
	     "offsets: %s", text);
	snprintf(text, sizeof(text), "monotonic %lld %lld", sec + ahead, nsec);
	write_file("/proc/self/timens_offsets", text);
}

static int child(void *arg)
{
	*(long long *)arg = now();
	return 0;
}

int main(int argc, char **argv)
{
	long long before, then, after, *of_child;
	int next;

	test_init(argc, argv);
	of_child = map_anon(4096, MAP_SHARED);
	unshare_ahead(AHEAD);
	next = open("/proc/self/ns/time_for_children", O_RDONLY);
	need(next >= 0 && !setns(next, CLONE_NEWTIME) && !close(next), "enter it");
	unshare_ahead(CHILD_AHEAD);
	before = now();
	checkpoint_here();
	then = now();
	if (test_break())
		need(!setns(open("/proc/self/ns/time_for_children", O_RDONLY), CLONE_NEWTIME), "break");
	check(then >= before && then < before + AHEAD / 2 * SECOND, "its clock was %lld, and is %lld", before, then);
	then = now();
	join_task(fork_task(child, of_child));
	after = now();
	check(*of_child >= then + CHILD_AHEAD * SECOND && *of_child <= after + CHILD_AHEAD * SECOND,
	      "the clock of a child is %lld between %lld and %lld", *of_child, then, after);
	test_done();
}
