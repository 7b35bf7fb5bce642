/* SPDX-License-Identifier: GPL-2.0-only */
/* Sysctls that each pid namespace has its own values of. */
#pragma once

struct dump;
struct dump_task;

/* A blocker for each setting of the pid namespace of @task that a new namespace would not have. */
int pid_settings_survey(struct dump *dump, const struct dump_task *task);
