// SPDX-License-Identifier: GPL-2.0-only
/*
 * mseal(2): content, and that the mappings cannot be changed.
 * test: flavours=host,lazy breaks=1
 */
#include "checkpoint.h"
#include <sys/syscall.h>

#define NR_MSEAL 462
#define PAGE 4096UL

static long seal(void *mem, size_t len)
{
	return syscall(NR_MSEAL, mem, len, 0);
}

static bool is_sealed(void *mem)
{
	return munmap(mem, PAGE) < 0 && errno == EPERM && mprotect(mem, PAGE, PROT_NONE) < 0 && errno == EPERM;
}

int main(int argc, char **argv)
{
	char *anon, *shared, *file, *ro, *open;
	int fd;

	test_init(argc, argv);
	anon = map_anon(8 * PAGE, MAP_PRIVATE);
	if (seal(anon, 4 * PAGE))
		test_skip("no mseal(2)");
	open = anon + 4 * PAGE;
	fill(anon, 8 * PAGE, 1);
	shared = map_anon(4 * PAGE, MAP_SHARED);
	fill(shared, 4 * PAGE, 2);
	fd = memfd_create("sealed", MFD_CLOEXEC);
	need(fd >= 0 && !ftruncate(fd, 4 * PAGE), "memfd");
	file = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	fill(file + PAGE, PAGE, 3);
	ro = map_anon(4 * PAGE, MAP_PRIVATE);
	fill(ro, 4 * PAGE, 4);
	need(!mprotect(ro, 4 * PAGE, PROT_READ), "mprotect");
	need(!seal(shared, 4 * PAGE) && !seal(file, 4 * PAGE) && !seal(ro, 4 * PAGE), "mseal");

	if (checkpoint_here())
		munmap(open, PAGE);
	check(!wrong(anon, 8 * PAGE, 1) && !wrong(shared, 4 * PAGE, 2) && !wrong(file + PAGE, PAGE, 3) &&
		      !wrong(ro, 4 * PAGE, 4) && !file[0],
	      "content");
	check(is_sealed(anon) && is_sealed(anon + 3 * PAGE) && is_sealed(shared) && is_sealed(file) && is_sealed(ro),
	      "the seal is gone");
	check(madvise(ro, PAGE, MADV_DONTNEED) < 0 && errno == EPERM, "read-only memory can be discarded");
	check(!munmap(open, 4 * PAGE), "an unsealed mapping is sealed");
	anon[0]++;
	test_done();
}
