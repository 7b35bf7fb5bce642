// SPDX-License-Identifier: GPL-2.0-only
/*
 * File mappings: private with dirty pages, shared, read-only, at an offset, beyond the end, of unlinked files, with the
 * descriptor closed.
 * test: flavours=host,container breaks=3 decode=yes
 */
#include "mem_probe.h"

#define PAGE 4096UL
#define SIZE (64 * PAGE)

static int make(const char *name, unsigned int seed, size_t size)
{
	static char block[SIZE];
	int fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	fill(block, size, seed);
	need(fd >= 0 && write(fd, block, size) == (ssize_t)size, "write %s", name);
	return fd;
}

static char *map(int fd, int prot, int flags, off_t offset, size_t size)
{
	char *mem = mmap(NULL, size, prot, flags, fd, offset);

	need(mem != MAP_FAILED, "mmap");
	return mem;
}

int main(int argc, char **argv)
{
	char *priv, *shared, *ro, *tail, *gone, *gone_priv, *exec, *wide, *first, buf[16] = "";
	int fd, fd2, gone_fd, short_fd, brk;
	static char want[SIZE];

	test_init(argc, argv);
	fd = make("data", 1, SIZE);
	fd2 = make("shared", 2, SIZE);
	short_fd = make("short", 3, PAGE + 100);
	gone_fd = make("gone", 4, SIZE);
	priv = map(fd, PROT_READ | PROT_WRITE, MAP_PRIVATE, 0, SIZE);
	ro = map(fd, PROT_READ, MAP_PRIVATE, 8 * PAGE, 8 * PAGE);
	exec = map(fd, PROT_READ | PROT_EXEC, MAP_PRIVATE, 0, PAGE);
	shared = map(fd2, PROT_READ | PROT_WRITE, MAP_SHARED, 0, SIZE);
	tail = map(short_fd, PROT_READ | PROT_WRITE, MAP_PRIVATE, 0, 4 * PAGE);
	wide = map(short_fd, PROT_READ | PROT_WRITE, MAP_SHARED, 0, 2 * PAGE);
	gone = map(gone_fd, PROT_READ | PROT_WRITE, MAP_SHARED, 0, SIZE);
	gone_priv = map(gone_fd, PROT_READ | PROT_WRITE, MAP_PRIVATE, PAGE, PAGE);
	first = map(fd, PROT_READ | PROT_WRITE, MAP_PRIVATE, 0, PAGE);
	for (size_t i = 0; i < SIZE / PAGE; i += 3)
		memset(priv + i * PAGE + 100, 'd', 50);
	mprotect(first, PAGE, PROT_NONE);
	memset(shared + 5 * PAGE, 's', PAGE);
	memset(tail + PAGE + 200, 't', 20); /* beyond the end of the file, in its last page */
	gone_priv[10] = 'g';
	unlink("gone");
	close(gone_fd);
	close(fd2);

	brk = checkpoint_here();
	if (brk == 1)
		priv[3 * PAGE + 100] = 0;
	if (brk == 2)
		pwrite(fd, "abc", 3, 0) == 3 ? 0 : abort();
	if (brk == 3)
		tail[PAGE + 210] = 0;

	fill(want, SIZE, 1);
	check(!memcmp(ro, want + 8 * PAGE, 8 * PAGE), "read-only mapping");
	check(!memcmp(exec, want, PAGE), "executable mapping");
	check(!mprotect(first, PAGE, PROT_READ) && !memcmp(first, want, PAGE), "mapping that was PROT_NONE");
	for (size_t i = 0; i < SIZE / PAGE; i += 3)
		memset(want + i * PAGE + 100, 'd', 50);
	check(!memcmp(priv, want, SIZE), "private mapping");
	fill(want, SIZE, 2);
	memset(want + 5 * PAGE, 's', PAGE);
	check(!memcmp(shared, want, SIZE), "shared mapping");
	shared[0] = 'S';
	fd2 = open("shared", O_RDONLY);
	check(read(fd2, buf, 1) == 1 && buf[0] == 'S', "the shared mapping does not write to the file");
	check(tail[PAGE + 210] == 't' && !tail[PAGE + 300], "in the last page, beyond the end");
	signal(SIGBUS, on_fault);
	check(fault_of(tail + 2 * PAGE) == SIGBUS && fault_of(tail + PAGE) == 0, "beyond the end of the file");
	check(!wrong(wide, PAGE + 100, 3), "a shared mapping of an unaligned file");
	fill(want, SIZE, 4);
	check(!memcmp(gone, want, SIZE), "an unlinked file");
	check(gone_priv[10] == 'g', "private page of an unlinked file");
	want[PAGE + 10] = 'g';
	check(!memcmp(gone_priv, want + PAGE, PAGE), "private mapping of an unlinked file");
	gone[PAGE + 300] = 'G';
	check(gone_priv[300] == want[PAGE + 300], "private mapping is shared");
	test_done();
}
