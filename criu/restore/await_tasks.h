/* SPDX-License-Identifier: GPL-2.0-only */
/* In the tool. */
#pragma once
#include "run/shared.h"

struct restore;

/* Waits until all tasks have reached this. */
int restore_await_tasks(struct restore *r, enum restore_stage stage);
