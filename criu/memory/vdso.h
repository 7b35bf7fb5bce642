/* SPDX-License-Identifier: GPL-2.0-only */
/* The vDSO at restore, tool side: what pie/restorer/vdso.h acts on. Errors are negative errno and have been logged. */
#pragma once
#include "kernel/maps.h"
#include "memory/page_source.h"
#include "pie/restorer/vdso.h"
#include "run/restore.h"

/* Look at our own vDSO, once: the result is inherited by forks. @maps: of this process. Call it before the tree is forked;
 * vdso_plan does so if nobody has. */
int vdso_probe(const struct maps *maps);
/*
 * In the process that becomes @rt: fill the vdso_ fields of @wire. Before mappings and pages are planned (which must
 * leave out what vdso_places()). Reserves the addresses it needs beyond those of the image (PROT_NONE; they are not
 * spared when all is unmapped).
 */
int vdso_plan(struct restore *r, struct restore_task *rt, const struct page_source *source, struct wire_task *wire);
/* Afterwards: where our own vDSO's code is in the end; 0: there is none. */
uint64_t vdso_code_place(const struct wire_task *wire);
