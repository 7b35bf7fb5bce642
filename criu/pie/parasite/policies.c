// SPDX-License-Identifier: GPL-2.0-only
/*
 * Inside a task: no libc, no globals, direct system calls only. Memory policies: /proc/PID/numa_maps shows the policy
 * of the process for mappings that have none, and reads the state of every page.
 */
#include <compel/pie.h>
#include "pie/wire.h"
#include "parasite.h"

enum { OF_ADDRESS = 2 }; /* MPOL_F_ADDR */

void parasite_policy(struct parasite_vma_policy *to)
{
	int32_t mode = 0;
	long err = sys_call5(__NR_get_mempolicy, (long)&mode, (long)to->nodes, PARASITE_MAX_NODES, 0, 0);

	to->mode = err < 0 ? (int32_t)err : mode;
}

void parasite_policies(struct parasite_policy_list *p)
{
	p->nr_found = 0;
	while (p->next < p->nr && p->nr_found < PARASITE_MAX_POLICIES) {
		struct parasite_vma_policy *to = &p->found[p->nr_found];
		int32_t mode = 0;
		long err = sys_call5(__NR_get_mempolicy, (long)&mode, (long)to->nodes, PARASITE_MAX_NODES,
				     (long)p->at[p->next], OF_ADDRESS);

		to->index = p->next++;
		to->mode = mode;
		if (err >= 0 && mode)
			p->nr_found++;
	}
}
