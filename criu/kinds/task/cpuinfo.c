// SPDX-License-Identifier: GPL-2.0-only
/* cpuinfo.img, if requested by --cpu-cap: written, or compared with this CPU; else what the inventory says of it. */
#include "cpu/cpuinfo.h"
#include "kinds/kinds.h"
#include "run/dump.h"
#include "run/restore.h"

static int save(struct dump *dump)
{
	return dump->opts->cpu_cap & (CPU_CAP_CPU | CPU_CAP_IMAGE) ? cpuinfo_write(dump->dir) : 0;
}

static int load(struct restore *r)
{
	int err = cpuinfo_compare(r->dir, r->opts->cpu_cap);

	if (err || !(r->opts->cpu_cap & (CPU_CAP_INS | CPU_CAP_CHOSEN)))
		return err;
	return cpu_features_compare(r->plan.cpu_features, r->plan.nr_cpu_features);
}

const struct run_kind cpuinfo_run = {
	.name = "cpuinfo",
	.save = save,
	.load = load,
};
