/* SPDX-License-Identifier: GPL-2.0-only */
/* The ids of a task's namespaces in its record (ids-PID.img, inventory.img). */
#pragma once
#include "core.pb-c.h"
#include "task/ns.h"

/* 0: not in the record. */
uint32_t ns_ids_get(const TaskKobjIdsEntry *ids, enum ns_type type);
void ns_ids_set(TaskKobjIdsEntry *ids, enum ns_type type, uint32_t id);
