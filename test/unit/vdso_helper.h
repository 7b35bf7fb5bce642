/* SPDX-License-Identifier: GPL-2.0-only */
/* Shared by the vDSO tests. */
#pragma once
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "memory/vdso_elf.h"

/* Our own special mappings, read without touching vdso_probe's cache. */
struct own_maps {
	struct wire_vdso_part parts[WIRE_VDSO_PARTS];
	unsigned nr;
	uint64_t vdso, vdso_len, vvar, vvar_len;
};

static inline void find_own(struct own_maps *ret)
{
	FILE *f = fopen("/proc/self/maps", "re");
	unsigned long start, end;
	char line[512];

	memset(ret, 0, sizeof(*ret));
	while (f && fgets(line, sizeof(line), f)) {
		int vdso = !!strstr(line, "[vdso]"), vvar = !!strstr(line, "[vvar");

		if ((!vdso && !vvar) || sscanf(line, "%lx-%lx", &start, &end) != 2 || ret->nr == WIRE_VDSO_PARTS)
			continue;
		ret->parts[ret->nr++] = (struct wire_vdso_part){ .now = start,
								 .len = end - start,
								 .prot = PROT_READ | (vdso ? PROT_EXEC : 0),
								 .prot_now = PROT_READ | (vdso ? PROT_EXEC : 0) };
		if (vdso) {
			ret->vdso = start;
			ret->vdso_len = end - start;
		} else {
			ret->vvar = ret->vvar ? ret->vvar : start;
			ret->vvar_len += end - start;
		}
	}
	if (f)
		fclose(f);
}

static inline const struct vdso_symbol *find_symbol(const struct vdso_symbols *in, const char *name)
{
	for (size_t i = 0; i < in->n; i++)
		if (!strcmp(in->v[i].name, name))
			return &in->v[i];
	return NULL;
}
