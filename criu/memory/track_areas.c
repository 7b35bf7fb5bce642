/* SPDX-License-Identifier: GPL-2.0-only */
/* Which mappings are tracked, and when they must not be. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "base/bits.h"
#include "memory/aio.h"
#include "memory/dump_memory.h"
#include "memory/tracking.h"
#include "util/fds.h"
#include "util/log.h"

/*
 * Private memory of ordinary pages. Shared memory is also written through other mappings and descriptors, and saved as a whole.
 * The kernel's own mappings (a name in brackets) are not its either.
 */
bool track_is_eligible(const struct dump_task *dt, size_t i)
{
	const struct kernel_vma *v = &dt->maps.v[i];
	const struct vma_flags *f = &dt->vma_flags.v[i];
	const uint64_t never = BIT(VMF_HT) | BIT(VMF_IO) | BIT(VMF_PF) | BIT(VMF_MM) | BIT(VMF_DP) | BIT(VMF_SS) |
			       BIT(VMF_UM) | BIT(VMF_UI);

	if (v->shared || f->flags & never || v->end >= 1ull << 63)
		return false;
	return v->name[0] != '[' || str_has_prefix(v->name, "[anon") || !strcmp(v->name, "[heap]") ||
	       !strcmp(v->name, "[stack]");
}

static bool is_ring(const struct kernel_vma *v)
{
	return aio_is_ring(v) || str_has_prefix(v->name, "anon_inode:[io_uring]");
}

static int has_uring(const struct dump_task *dt, bool *ret)
{
	struct int_array fds = { 0 };
	int err = proc_fds(&dt->proc, &fds);
	char name[32], link[64];

	for (size_t i = 0; !err && !*ret && i < fds.n; i++) {
		ssize_t len;

		snprintf(name, sizeof(name), "fd/%d", fds.v[i]);
		len = proc_link(&dt->proc, name, link, sizeof(link));
		*ret = len > 0 && !strcmp(link, "anon_inode:[io_uring]");
	}
	array_free(&fds);
	return err < 0 ? fail(err, "list the descriptors of the process") : 0;
}

/*
 * A request of io_setup(2) or io_uring(7) that is in flight, and a registered buffer, have the pages themselves: the kernel writes
 * to them without looking at the page tables again. Pages that are not armed count as written, so those of
 * such a process stay as they are. (A call that reads into memory has ended when its thread has stopped.)
 */
int track_is_pinned(struct dump *dump, struct dump_task *dt, bool *ret)
{
	for (size_t i = 0; i < dt->maps.n; i++)
		if (is_ring(&dt->maps.v[i])) {
			*ret = true;
			return 0;
		}
	*ret = false;
	return has_uring(dt, ret);
}
