/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once
#include "kinds/ns/cgroup/internal.h"

/* Writes cgroup.img. */
int cg_save(struct dump *dump);
