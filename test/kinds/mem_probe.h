/* SPDX-License-Identifier: GPL-2.0-only */
/* Helpers for tests of memory: huge pages, the signal raised by an access, the memory that a process does not share. */
#ifndef TEST_MEM_PROBE_H
#define TEST_MEM_PROBE_H
#include <setjmp.h>
#include "checkpoint.h"

/* Reserves at least @n huge pages for all variants of a test that run at the same time, or skips. */
static inline void need_huge_pages(int n)
{
	char text[32];
	int fd;

	read_file("/proc/sys/vm/nr_hugepages", text, sizeof(text));
	if (atoi(text) >= n)
		return;
	fd = open("/proc/sys/vm/nr_hugepages", O_WRONLY);
	if (fd < 0 || dprintf(fd, "%d", n) < 0)
		test_skip("huge pages cannot be reserved");
	close(fd);
}

static sigjmp_buf fault_jump;

/* The handler of SIGSEGV or SIGBUS while there is a fault_of(). */
static inline void on_fault(int sig)
{
	siglongjmp(fault_jump, sig);
}

/* The signal raised by reading @p; 0: none. */
static inline int fault_of(volatile char *p)
{
	int sig = sigsetjmp(fault_jump, 1);

	if (!sig)
		(void)*p;
	return sig;
}

/* PSS in kB; -1: not shown by /proc. */
static inline long pss(pid_t pid)
{
	char path[64], buf[4096], *at;

	snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", pid);
	if (read_file(path, buf, sizeof(buf)) <= 0 || !(at = strstr(buf, "\nPss:")))
		return -1;
	return atol(at + 5);
}

#endif
