// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copy-on-write in a fork server: six workers, each with its own changes, with grown heaps, different protection,
 * dropped pages, a private file mapping, and a grandchild that shares pages changed only by its parent.
 * test: breaks=1 timeout=60
 */
#include "mem_probe.h"
#include <sys/wait.h>

#define WORKERS 6
#define MB (1UL << 20)
#define SIZE (24 * MB)

static char *mem, *file, *heap;
static volatile int *pids;

static void verify(int nr, int grand)
{
	char *own = mem + nr * 2 * MB;

	for (size_t i = 0; i < 2 * MB; i += 4096)
		check(own[i] == 'A' + nr, "changed page %zu of %d", i / 4096, nr);
	for (size_t i = 14 * MB; i < 20 * MB; i += 4096)
		check(mem[i] == 0x5a, "shared page %zu of %d", i / 4096, nr);
	for (size_t i = 20 * MB; i < 21 * MB; i += 4096)
		check(mem[i] == 0 && mem[i + 100] == 0, "dropped page %zu of %d", i / 4096, nr);
	check(mem[SIZE - MB] == (grand ? 'g' : 0x5a), "last of %d", nr);
	check(file[0] == 'f' && file[MB] == 'd' && file[2 * MB] == 'x', "file of %d: %c%c%c", nr, file[0], file[MB],
	      file[2 * MB]);
	check(heap[0] == 'h' && heap[4 * MB - 1] == 'h' && heap[4 * MB] == 'A' + nr, "heap of %d", nr);
}

static int grandchild(void *arg)
{
	int nr = (long)arg;

	mem[SIZE - MB] = 'g';
	pids[WORKERS] = getpid();
	checkpoint_task("grandchild", 0);
	await_task("end");
	verify(nr, 1);
	return 0;
}

static int worker(void *arg)
{
	char name[16], go[16];
	int nr = (long)arg;
	pid_t pid = 0;

	memset(mem + nr * 2 * MB, 'A' + nr, 2 * MB);
	madvise(mem + 20 * MB, MB, MADV_DONTNEED);
	file[2 * MB] = 'x';
	need(brk(heap + 5 * MB) == 0, "brk");
	memset(heap + 4 * MB, 'A' + nr, MB);
	mprotect(mem + 22 * MB, MB, PROT_READ);
	pids[nr] = getpid();
	if (nr == 3) {
		pid = fork_task(grandchild, arg);
		await_task("grandchild");
	}
	snprintf(name, sizeof(name), "worker%d", nr);
	checkpoint_task(name, 0);
	if (test_break() && nr == 1)
		memset(mem + 14 * MB, 0x5a, 6 * MB);
	snprintf(go, sizeof(go), "go%d", nr);
	task_ready(go);
	await_task("end");
	verify(nr, 0);
	if (pid)
		join_task(pid);
	return 0;
}

int main(int argc, char **argv)
{
	long before = 0, after = 0;
	pid_t pid[WORKERS];
	char name[16];
	int fd;

	test_init(argc, argv);
	pids = map_anon(4096, MAP_SHARED);
	mem = map_anon(SIZE, MAP_PRIVATE);
	madvise(mem, SIZE, MADV_NOHUGEPAGE);
	memset(mem, 0x5a, SIZE);
	fd = open("mapped", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	need(fd >= 0 && !ftruncate(fd, 3 * MB) && pwrite(fd, "f", 1, 0) == 1, "file");
	file = mmap(NULL, 3 * MB, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	need(file != MAP_FAILED, "mmap");
	memset(file + MB, 'd', MB);
	heap = sbrk(0);
	heap = (char *)sbrk(4 * MB + 4096 - (long)heap % 4096) + 4096 - (long)heap % 4096;
	memset(heap, 'h', 4 * MB);
	for (long i = 0; i < WORKERS; i++)
		pid[i] = fork_task(worker, (void *)i);
	for (int i = 0; i < WORKERS; i++) {
		snprintf(name, sizeof(name), "worker%d", i);
		await_task(name);
	}
	for (int i = 0; i <= WORKERS; i++)
		before += pss(pids[i]);
	before += pss(getpid());
	checkpoint_here();
	for (int i = 0; i < WORKERS; i++) {
		snprintf(name, sizeof(name), "go%d", i);
		await_task(name);
	}
	for (int i = 0; i <= WORKERS; i++)
		after += pss(pids[i]);
	after += pss(getpid());
	check(labs(after - before) * 20 <= before, "PSS of the tree %ld kB, was %ld kB", after, before);
	check(mem[0] == 0x5a && file[2 * MB] == 0 && heap[4 * MB - 1] == 'h', "parent's memory");
	task_ready("end");
	for (int i = 0; i < WORKERS; i++)
		join_task(pid[i]);
	test_done();
}
