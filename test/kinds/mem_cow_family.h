/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What parent, child and grandchild share copy-on-write is restored unchanged, each byte of it, and is shared again;
 * whichever of them has changed, moved, dropped, unmapped or protected some of it.
 */
#pragma once
#include "mem_probe.h"
#include <sys/wait.h>

#define MB (1UL << 20)
#define SIZE (24 * MB)

static char *mem, *huge, *zeros, *shared, *moved, *wiped, *file;
static volatile int *done;

/* As it was filled: one byte per page. */
static char filled(size_t at)
{
	return (char)(1 + at / 4096 % 251);
}

/* Where it was not changed. */
static void verify(const char *who, const char *p, size_t from, size_t to)
{
	for (size_t at = from; at < to; at += 4096)
		check(p[at] == filled(at) && p[at + 4095] == filled(at), "%s: page %zu", who, at / 4096);
}

static void fill_pages(char *p, size_t len)
{
	for (size_t at = 0; at < len; at += 4096)
		memset(p + at, filled(at), 4096);
}

static void verify_zeros(const char *who, const char *p, size_t len)
{
	for (size_t at = 0; at < len; at += 4096)
		check(!p[at] && !p[at + 4095], "%s: zeros %zu", who, at / 4096);
}

static int grandchild(void *arg)
{
	memset(mem + 4 * MB, 'g', MB);
	munmap(mem + 20 * MB, MB);
	checkpoint_task("grandchild", 0);
	await_task("end");
	verify("grandchild", mem, MB, 4 * MB);
	verify("grandchild", mem, 5 * MB, 20 * MB);
	verify_zeros("grandchild", mem + 21 * MB, MB);
	verify("grandchild", mem, 22 * MB, SIZE);
	verify("grandchild, huge", huge, 0, 4 * MB);
	check(mem[0] == 'c' && mem[4 * MB] == 'g', "grandchild's memory");
	verify("grandchild, moved", moved, 0, MB);
	verify_zeros("grandchild", zeros, 4 * MB);
	verify_zeros("grandchild", wiped, MB);
	check(!strcmp(shared, "of all") && file[0] == 'f', "grandchild's mappings");
	return 0;
}

static int child(void *arg)
{
	pid_t pid;

	memset(mem, 'c', MB);
	madvise(mem + 21 * MB, MB, MADV_DONTNEED);
	for (size_t at = 14 * MB; at < 15 * MB; at += 8192)
		mem[at + 1] = 'c';
	mprotect(mem + 12 * MB, MB, PROT_READ);
	need(mremap(moved, MB, MB, MREMAP_MAYMOVE | MREMAP_FIXED, moved + 4 * MB) == moved + 4 * MB, "mremap");
	moved += 4 * MB;
	file[0] = 'f';
	pid = fork_task(grandchild, &pid);
	await_task("grandchild");
	*done = pid;
	checkpoint_task("child", 0);
	if (test_break())
		mem[10 * MB + 4095] = 'x';
	await_task("end");
	verify("child", mem, MB, 21 * MB);
	verify_zeros("child", mem + 21 * MB, MB);
	verify("child", mem, 22 * MB, SIZE);
	verify("child, huge", huge, 0, 4 * MB);
	verify("child, moved", moved, 0, MB);
	verify_zeros("child", zeros, 4 * MB);
	verify_zeros("child", wiped, MB);
	for (size_t at = 14 * MB; at < 15 * MB; at += 8192)
		check(mem[at + 1] == 'c' && mem[at + 4097] == filled(at + 4096), "child's page %zu", at / 4096);
	check(mem[0] == 'c' && !strcmp(shared, "of all") && file[0] == 'f', "child's memory");
	join_task(pid);
	return 0;
}

static char *filled_anon(size_t len)
{
	char *p = map_anon(len, MAP_PRIVATE);

	madvise(p, len, MADV_NOHUGEPAGE);
	fill_pages(p, len);
	return p;
}

int main(int argc, char **argv)
{
	long before, after;
	pid_t pid;
	int fd;

	test_init(argc, argv);
	done = map_anon(4096, MAP_SHARED);
	shared = map_anon(MB, MAP_SHARED);
	strcpy(shared, "of all");
	mem = filled_anon(SIZE);
	moved = map_anon(8 * MB, MAP_PRIVATE);
	madvise(moved, 8 * MB, MADV_NOHUGEPAGE);
	fill_pages(moved, MB);
	wiped = filled_anon(MB);
	madvise(wiped, MB, MADV_WIPEONFORK);
	zeros = map_anon(4 * MB, MAP_PRIVATE);
	memset(zeros, 0, 4 * MB);
	huge = map_anon(4 * MB, MAP_PRIVATE);
	madvise(huge, 4 * MB, MADV_HUGEPAGE);
	fill_pages(huge, 4 * MB);
	fd = memfd_create("file", 0);
	need(fd >= 0 && !ftruncate(fd, MB), "memfd");
	file = mmap(NULL, MB, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	need(file != MAP_FAILED, "mmap");
	memset(file, 'p', MB);
	pid = fork_task(child, NULL);
	await_task("child");
	memset(mem + 8 * MB, 'p', MB);
	munmap(mem + 18 * MB, MB);
	before = pss(getpid()) + pss(pid) + pss(*done);
	checkpoint_here();
	after = pss(getpid()) + pss(pid) + pss(*done);
	/* Zeros need less. */
	check(after * 20 <= before * 21, "PSS of the tree %ld kB, was %ld kB", after, before);
	verify("parent", mem, 0, 8 * MB);
	verify("parent", mem, 9 * MB, 18 * MB);
	verify("parent", mem, 19 * MB, SIZE);
	verify("parent, huge", huge, 0, 4 * MB);
	verify("parent, moved", moved, 0, MB);
	verify("parent, wiped", wiped, 0, MB);
	verify_zeros("parent", zeros, 4 * MB);
	check(mem[8 * MB] == 'p' && file[0] == 'p' && file[4096] == 'p', "parent's memory");
	task_ready("end");
	join_task(pid);
	test_done();
}
