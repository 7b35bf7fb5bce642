/* SPDX-License-Identifier: GPL-2.0-only */
/* vm.max_map_count: the restorer occupies two mappings until the last one of the task is created. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include "memory/dump_memory.h"
#include "memory/restore_memory.h"
#include "pie/vma.h"
#include "util/fds.h"
#include "util/log.h"
#include "util/proc_root.h"

#define RESTORER_MAPPINGS 2
/* Nobody sets the limit so low. */
#define NEVER_TOO_MANY 256

/* SIZE_MAX if it cannot be read. */
static size_t most_mappings(void)
{
	_cleanup_buf_ struct buf text = { 0 };
	int err = read_file(proc_root(), "sys/vm/max_map_count", &text);

	return err < 0 || !text.len ? SIZE_MAX : strtoul(text.data, NULL, 10);
}

void map_count_survey(const struct dump_task *dt)
{
	/* The kernel does not count [vsyscall]. */
	size_t n = dt->maps.n - 1, most = n < NEVER_TOO_MANY ? SIZE_MAX : most_mappings();

	if (n + RESTORER_MAPPINGS > most)
		log_warn("it has %zu mappings, of %zu that vm.max_map_count allows: a restore briefly needs %d "
			 "more; raise the limit first: sysctl vm.max_map_count=%zu",
			 n, most, RESTORER_MAPPINGS, n + RESTORER_MAPPINGS);
}

int map_count_load(const struct restore_task *rt)
{
	size_t n = 0, most = rt->mm->n_vmas < NEVER_TOO_MANY ? SIZE_MAX : most_mappings();

	for (size_t i = 0; most != SIZE_MAX && i < rt->mm->n_vmas; i++) {
		uint32_t status = rt->mm->vmas[i]->status;

		/* [vvar] and [vvar_vclock] are one entry. */
		n += status & (VMA_VSYSCALL | VMA_GUARD) ? 0 : status & VMA_VVAR ? 2 : 1;
	}
	if (n + RESTORER_MAPPINGS <= most)
		return 0;
	log_error("mm-%d.img: %zu mappings, and %d for the restore: vm.max_map_count is %zu; raise it: "
		  "sysctl vm.max_map_count=%zu",
		  rt->t.pid, n, RESTORER_MAPPINGS, most, n + RESTORER_MAPPINGS);
	return -ENOMEM;
}
