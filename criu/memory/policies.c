/* SPDX-License-Identifier: GPL-2.0-only */
/* Which mappings of a process have their own memory policy (mbind(2)): one call each, in the process. */
#include <errno.h>
#include "memory/dump_memory.h"
#include "memory/memory.h"
#include "run/dump.h"
#include "util/log.h"

static size_t nr_asked(const struct dump_task *dt)
{
	return dt->mm_owner ? dt->maps.n : 0;
}

size_t memory_policies_size(const struct dump_task *dt)
{
	return sizeof(struct parasite_policy_list) + nr_asked(dt) * sizeof(uint64_t);
}

void memory_lay_policies(const struct dump_task *dt, struct parasite_policy_list *q)
{
	q->nr = nr_asked(dt);
	for (size_t i = 0; i < q->nr; i++)
		q->at[i] = dt->maps.v[i].start;
}

static int keep(struct dump_task *dt, const struct parasite_policy_list *q)
{
	for (uint32_t i = 0; i < q->nr_found; i++)
		if (array_add(&dt->memory->policies, q->found[i]))
			return fail(-ENOMEM, "memory policies");
	return 0;
}

int memory_take_policies(struct dump_task *dt, uint32_t at, struct parasite_policy_list *q)
{
	int err = keep(dt, q);
	long value;

	while (!err && q->next < q->nr) {
		err = compel_command(dt->ctl, PARASITE_POLICIES, &value);
		if (!err)
			err = value < 0 ? (int)value : compel_args_read(dt->ctl, at, q, sizeof(*q));
		if (err < 0)
			return fail(err, "query memory policies through the parasite: %s", compel_error(dt->ctl));
		err = keep(dt, q);
	}
	return err;
}

bool memory_has_policies(const struct dump_task *dt)
{
	return dt->memory->policies.n != 0;
}
