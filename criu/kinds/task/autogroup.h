/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

struct restore_task;

/* In the tool: the nice value of the autogroup of @task's session, if it is saved with this task. Errors are logged. */
int autogroup_set_outside(const struct restore_task *task);
