// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copy-on-write in whole huge pages, which a restore may restore as such: children differ in a few pages of a block, in
 * all but a few, in half of them. Each reads its own content, equal pages are shared as before (PSS of the tree within
 * 5 %), and later writes of one are not seen by any other.
 * test: breaks=2 timeout=60
 */
#include "checkpoint.h"
#include <sys/wait.h>

#define BLOCK (2UL << 20)
#define BLOCKS 12UL
#define PAGE 4096UL
#define PAGES (BLOCK / PAGE)
#define CHILDREN 3

static char *mem;
static volatile int *pids;

static long pss(pid_t pid)
{
	char path[64], buf[4096], *at;

	snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", pid);
	if (read_file(path, buf, sizeof(buf)) <= 0 || !(at = strstr(buf, "\nPss:")))
		return -1;
	return atol(at + 5);
}

static long pss_of_all(void)
{
	long sum = pss(getpid());

	for (int i = 0; i < CHILDREN; i++)
		sum += pss(pids[i]);
	return sum;
}

/* Has the child @nr changed the page @i? */
static int changed(int nr, size_t i)
{
	size_t block = i / PAGES, page = i % PAGES;

	switch (block) {
	case 0: /* some in the middle, few enough to be overlooked */
		return page == 100u + nr;
	case 1: /* all but the borders and two between them */
		return page % 170 && page != PAGES - 1 && page != 340;
	case 2: /* the second half */
		return page >= PAGES / 2;
	case 3: /* every other one */
		return page % 2;
	case 4: /* only the first and the last */
		return page == 0 || page == PAGES - 1;
	case 5: /* all, in one of them */
		return nr == 1;
	}
	return 0;
}

static uint64_t value(int nr, size_t i)
{
	return (nr >= 0 && changed(nr, i) ? 1000000 * (nr + 1) : 0) + i + 1;
}

static uint64_t *word(size_t i, size_t at)
{
	return (uint64_t *)(mem + i * PAGE) + at;
}

static void verify(int nr)
{
	for (size_t i = 0; i < BLOCKS * PAGES; i++)
		check(*word(i, 0) == value(nr, i) && *word(i, 511) == value(nr, i), "page %zu of %d", i, nr);
}

static int child(void *arg)
{
	int nr = (long)arg;
	char name[16], go[16];

	for (size_t i = 0; i < BLOCKS * PAGES; i++)
		if (changed(nr, i))
			*word(i, 0) = *word(i, 511) = value(nr, i);
	pids[nr] = getpid();
	snprintf(name, sizeof(name), "child%d", nr);
	checkpoint_task(name, 0);
	if (test_break() == 1 && nr == 1)
		for (size_t i = 6 * PAGES; i < BLOCKS * PAGES; i++)
			*word(i, 1) = 0;
	if (test_break() == 2 && nr == 2)
		*word(7 * PAGES + 3, 511) = 1;
	snprintf(go, sizeof(go), "go%d", nr);
	task_ready(go);
	await_task("written");
	verify(nr);
	return 0;
}

int main(int argc, char **argv)
{
	long before, after;
	pid_t pid[CHILDREN];
	char name[16], *map;

	test_init(argc, argv);
	pids = map_anon(4096, MAP_SHARED);
	map = map_anon(BLOCK * (BLOCKS + 1), MAP_PRIVATE);
	mem = (char *)(((uintptr_t)map + BLOCK - 1) & ~(BLOCK - 1));
	for (size_t i = 0; i < BLOCKS * PAGES; i++)
		*word(i, 0) = *word(i, 511) = value(-1, i);
	for (long i = 0; i < CHILDREN; i++)
		pid[i] = fork_task(child, (void *)i);
	for (int i = 0; i < CHILDREN; i++) {
		snprintf(name, sizeof(name), "child%d", i);
		await_task(name);
	}
	before = pss_of_all();
	checkpoint_here();
	for (int i = 0; i < CHILDREN; i++) {
		snprintf(name, sizeof(name), "go%d", i);
		await_task(name);
	}
	after = pss_of_all();
	check(labs(after - before) * 20 <= before, "PSS of the tree %ld kB, was %ld kB", after, before);
	verify(-1);
	for (size_t i = 0; i < BLOCKS * PAGES; i++)
		*word(i, 0) = *word(i, 511) = 7;
	task_ready("written");
	for (int i = 0; i < CHILDREN; i++)
		join_task(pid[i]);
	test_done();
}
