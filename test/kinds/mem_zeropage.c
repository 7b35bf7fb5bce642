// SPDX-License-Identifier: GPL-2.0-only
/*
 * The kernel's zero page in a private mapping of memory with other content (UFFDIO_ZEROPAGE).
 * test: breaks=1
 */
#include "checkpoint.h"
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#ifndef UFFD_USER_MODE_ONLY
#define UFFD_USER_MODE_ONLY 1
#endif
#define PAGE 4096UL

static bool zero_page(char *at)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = { .range = { (uintptr_t)at, PAGE }, .mode = UFFDIO_REGISTER_MODE_MISSING };
	struct uffdio_zeropage zero = { .range = reg.range };
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY);
	bool done = fd >= 0 && !ioctl(fd, UFFDIO_API, &api) && !ioctl(fd, UFFDIO_REGISTER, &reg) &&
		    !ioctl(fd, UFFDIO_ZEROPAGE, &zero);

	close(fd);
	return done;
}

int main(int argc, char **argv)
{
	int fd = memfd_create("behind", MFD_CLOEXEC), brk;
	char *shared, *private;

	test_init(argc, argv);
	need(fd >= 0 && !ftruncate(fd, 8 * PAGE), "memfd");
	shared = mmap(NULL, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	private = mmap(NULL, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	need(shared != MAP_FAILED && private != MAP_FAILED, "mmap");
	fill(shared, 8 * PAGE, 1);
	if (!zero_page(private + 3 * PAGE) || private[3 * PAGE + 7])
		test_skip("no UFFDIO_ZEROPAGE");
	brk = checkpoint_here();
	if (brk)
		madvise(private + 3 * PAGE, PAGE, MADV_DONTNEED);
	for (size_t i = 0; i < PAGE; i++)
		need(!private[3 * PAGE + i], "byte %zu is %d", i, private[3 * PAGE + i]);
	check(!wrong(shared, 8 * PAGE, 1), "the shared content");
	check(!wrong(private, 3 * PAGE, 1), "the pages before it");
	shared[4 * PAGE] ^= 1;
	check(private[4 * PAGE] == shared[4 * PAGE], "its neighbour is a copy");
	test_done();
}
