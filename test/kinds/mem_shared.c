// SPDX-License-Identifier: GPL-2.0-only
/*
 * Shared anonymous memory: content, tasks that share it (whole and parts of it), adjacent private mappings.
 * test: flavours=host,pid,container,user breaks=2 decode=yes user-root=host,container
 */
#include "checkpoint.h"
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define SIZE (2UL << 20)

static char *all, *part, *mine;

static int child(void *arg)
{
	char *tail;

	munmap(all, SIZE / 2);
	tail = all + SIZE / 2;
	strcpy(mine, "child");
	checkpoint_task("child", 0);
	check(!strcmp(mine, "child"), "private memory: %s", mine);
	for (int i = 0; i < 4000 && strcmp(tail, "changed"); i++)
		sleep_ms(1);
	check(!strcmp(tail, "changed"), "child sees %.20s", tail);
	strcpy(tail + 100, "child saw it");
	return 0;
}

int main(int argc, char **argv)
{
	char *sparse, *twice;
	unsigned char vec[256];
	int brk, resident = 0;
	pid_t pid;

	test_init(argc, argv);
	all = map_anon(SIZE, MAP_SHARED);
	fill(all, SIZE, 5);
	sparse = map_anon(256 * 4096, MAP_SHARED);
	sparse[100 * 4096] = 'x';
	mine = map_anon(4096, MAP_PRIVATE);
	strcpy(mine, "parent");
	/* old size 0: a second mapping of the same shared memory */
	twice = mremap(all + 8 * 4096, 0, 4 * 4096, MREMAP_MAYMOVE);
	need(twice != MAP_FAILED, "second mapping");
	part = map_anon(16 * 4096, MAP_SHARED);
	fill(part, 16 * 4096, 6);
	mprotect(part, 16 * 4096, PROT_READ);
	pid = fork_task(child, NULL);
	await_task("child");

	brk = checkpoint_here();
	if (brk == 1)
		all[12345]++;
	if (brk == 2)
		strcpy(mine, "wrong");

	check(!wrong(all, SIZE, 5), "content wrong at %zu", wrong(all, SIZE, 5) - 1);
	check(!wrong(part, 16 * 4096, 6), "read-only content");
	check(!strcmp(mine, "parent"), "private memory: %s", mine);
	strcpy(all + 8 * 4096, "seen twice");
	check(!strcmp(twice, "seen twice"), "the second mapping maps other memory");
	check(sparse[100 * 4096] == 'x', "sparse");
	mincore(sparse, 256 * 4096, vec);
	for (int i = 0; i < 256; i++)
		resident += vec[i] & 1;
	check(resident <= 4, "holes filled: %d pages", resident);
	strcpy(all + SIZE / 2, "changed");
	join_task(pid);
	check(!strcmp(all + SIZE / 2 + 100, "child saw it"), "no reply from the child");
	test_done();
}
