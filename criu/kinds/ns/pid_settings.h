/* SPDX-License-Identifier: GPL-2.0-only */
/* Sysctls that each pid namespace has its own values of. */
#pragma once

struct dump;
struct dump_task;
struct restore;
struct restore_task;

/* Those of the namespace that @init is the init of. */
int pid_settings_save(struct dump *dump, struct dump_task *init);
/* No side effect. */
int pid_settings_check(const struct restore_task *init);
/* In the init, before it forks others; in the tool, when no process or thread is created any more. */
int pid_settings_begin(struct restore *r, const struct restore_task *rt);
int pid_settings_finish(struct restore *r);
