// SPDX-License-Identifier: GPL-2.0-only
#include "dump/origin.h"
#include <time.h>
#include "run/dump.h"
#include "run/version.h"

void dump_fill_origin(const struct dump *dump, struct origin *ret)
{
	OriginEntry *e = &ret->entry;
	time_t now = time(NULL);

	origin_entry__init(e);
	if (now > 0) {
		e->has_time = 1;
		e->time = (uint64_t)now;
	}
	e->has_pid = 1;
	e->pid = dump->tree.root->host_pid;
	if (!uname(&ret->uts)) {
		e->host = ret->uts.nodename;
		e->kernel = ret->uts.release;
	}
	cpu_name(ret->cpu);
	if (ret->cpu[0])
		e->cpu = ret->cpu;
	if (!boot_id_read(ret->boot_id))
		e->boot_id = ret->boot_id;
	e->cpu_features = ret->cpu_features;
	e->n_cpu_features = cpu_features_read(ret->cpu_features);
	e->program = "criu " OWN_VERSION " (interface " INTERFACE_VERSION ")";
	e->n_options = dump->opts->given.n;
	e->options = dump->opts->given.v;
}
