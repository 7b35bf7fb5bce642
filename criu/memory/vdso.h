/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The vDSO at restore, tool side: plans what pie/restorer/vdso.h does. Errors are negative errnos that have been
 * logged.
 */
#pragma once
#include "kernel/maps.h"
#include "memory/page_source.h"
#include "pie/restorer/vdso.h"
#include "run/restore.h"

/*
 * Inspects our own vDSO, once: the result is inherited by forks. @maps: of this process. Call it before the tree is
 * forked; otherwise vdso_plan does so.
 */
int vdso_probe(const struct maps *maps);
/*
 * In the process that becomes @rt: fills in the vdso_ fields of @wire. Before mappings and pages are planned (which
 * must leave out vdso_places()). Reserves the addresses it needs beyond those of the image (PROT_NONE; they are not
 * excepted when everything is unmapped).
 */
int vdso_plan(struct restore *r, struct restore_task *rt, const struct page_source *source, struct wire_task *wire);
/* Afterwards: the final address of our own vDSO's code; 0: there is none. */
uint64_t vdso_code_place(const struct wire_task *wire);
