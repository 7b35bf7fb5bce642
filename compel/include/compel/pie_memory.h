/* SPDX-License-Identifier: LGPL-2.1-only */
/* Direct system calls on memory: a part of pie.h. */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <compel/syscall.h>

static inline long sys_mmap(void *address, size_t len, int prot, int flags, int fd, off_t offset)
{
	return sys_call6(__NR_mmap, (long)address, (long)len, (long)prot, (long)flags, (long)fd, (long)offset);
}

static inline long sys_munmap(void *address, size_t len)
{
	return sys_call2(__NR_munmap, (long)address, (long)len);
}

static inline long sys_mremap(void *old, size_t old_len, size_t new_len, int flags, void *to)
{
	return sys_call5(__NR_mremap, (long)old, (long)old_len, (long)new_len, (long)flags, (long)to);
}

static inline long sys_mprotect(void *address, size_t len, int prot)
{
	return sys_call3(__NR_mprotect, (long)address, (long)len, (long)prot);
}

static inline long sys_madvise(void *address, size_t len, int advice)
{
	return sys_call3(__NR_madvise, (long)address, (long)len, (long)advice);
}

static inline long sys_mlock2(const void *address, size_t len, int flags)
{
	return sys_call3(__NR_mlock2, (long)address, (long)len, (long)flags);
}

static inline long sys_mlockall(int flags)
{
	return sys_call1(__NR_mlockall, (long)flags);
}

static inline long sys_mincore(void *address, size_t len, unsigned char *vec)
{
	return sys_call3(__NR_mincore, (long)address, (long)len, (long)vec);
}

static inline long sys_brk(void *end)
{
	return sys_call1(__NR_brk, (long)end);
}

static inline long sys_shmat(int id, const void *address, int flags)
{
	return sys_call3(__NR_shmat, (long)id, (long)address, (long)flags);
}

static inline long sys_userfaultfd(int flags)
{
	return sys_call1(__NR_userfaultfd, (long)flags);
}

static inline long sys_membarrier(int command, unsigned int flags, int cpu)
{
	return sys_call3(__NR_membarrier, (long)command, (long)flags, (long)cpu);
}

static inline long sys_set_mempolicy(int mode, const unsigned long *nodes, unsigned long max)
{
	return sys_call3(__NR_set_mempolicy, (long)mode, (long)nodes, (long)max);
}

static inline long sys_mbind(void *address, unsigned long len, int mode, const unsigned long *nodes, unsigned long max,
			     unsigned int flags)
{
	return sys_call6(__NR_mbind, (long)address, (long)len, (long)mode, (long)nodes, (long)max, (long)flags);
}
