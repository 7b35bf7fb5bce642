/* SPDX-License-Identifier: GPL-2.0-only */
#include "memory/lazy_rule.h"
#include <sys/mman.h>
#include "base/bits.h"
#include "pie/vma.h"

bool memory_vma_may_be_lazy(const VmaEntry *v)
{
	return (v->status & VMA_ANON_PRIVATE) && (v->flags & MAP_TYPE) == MAP_PRIVATE &&
	       !(v->flags & (MAP_LOCKED | MAP_HUGETLB)) &&
	       !(v->status & (VMA_VDSO | VMA_VVAR | VMA_VSYSCALL | VMA_AIO_RING | VMA_SHADOW_STACK | VMA_GUARD));
}

bool memory_vma_is_lazy(const VmaEntry *v)
{
	return memory_vma_may_be_lazy(v) && !(v->has_madv && v->madv & BIT(MADV_WIPEONFORK));
}
