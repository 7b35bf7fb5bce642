// SPDX-License-Identifier: GPL-2.0-only
/*
 * 41 processes whose memory is fragmented: the page map of each has thousands of entries, and a restore reads all of them
 * before its first fork. With --share-pages only for small images: the page maps are as long without it.
 * test: breaks=1 timeout=60 options=--share-pages
 */
#include "mem_probe.h"

#define CHILDREN 40
#define SIZE (20UL << 20)
#define STEP 8192UL /* every other page */

static char *mem;

static void verify(size_t who)
{
	for (size_t at = 0; at < SIZE; at += STEP) {
		size_t want = at == STEP ? who : at + 1;

		check(*(size_t *)(mem + at) == want && !*(size_t *)(mem + at + STEP / 2), "page %zu of %zu", at / 4096,
		      who);
	}
}

static int child(void *arg)
{
	size_t who = (size_t)arg;
	char name[32];

	*(size_t *)(mem + STEP) = who;
	snprintf(name, sizeof(name), "child%zu", who);
	checkpoint_task(name, 0);
	await_task("end");
	verify(who);
	return 0;
}

int main(int argc, char **argv)
{
	pid_t pids[CHILDREN];
	char name[32];

	test_init(argc, argv);
	mem = map_anon(SIZE, MAP_PRIVATE);
	madvise(mem, SIZE, MADV_NOHUGEPAGE);
	for (size_t at = 0; at < SIZE; at += STEP)
		*(size_t *)(mem + at) = at + 1;
	for (size_t i = 0; i < CHILDREN; i++)
		pids[i] = fork_task(child, (void *)(i + 1));
	for (size_t i = 0; i < CHILDREN; i++) {
		snprintf(name, sizeof(name), "child%zu", i + 1);
		await_task(name);
	}
	*(size_t *)(mem + STEP) = 100;
	checkpoint_here();
	if (test_break())
		*(size_t *)(mem + SIZE - STEP) = 0;
	verify(100);
	task_ready("end");
	for (size_t i = 0; i < CHILDREN; i++)
		join_task(pids[i]);
	test_done();
}
