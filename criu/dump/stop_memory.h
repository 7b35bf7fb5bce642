/* SPDX-License-Identifier: GPL-2.0-only */
/* Stops a process again that has been saved. */
#pragma once
#include "run/dump.h"

/* All processes that have the memory of @of, as code is run in it; each is waited for at most @patience_us. */
int dump_stop_memory(struct dump *dump, const struct dump_task *of, uint64_t patience_us);
void dump_resume_memory(struct dump *dump, const struct dump_task *of);
