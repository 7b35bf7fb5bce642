/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A helper that our code creates inside a process (pie/parasite/fork.c, uffd.c): it shares the memory of the process, is a
 * tracee of ours from birth, stopped, and the process waits for its exit. The arguments of the command start with its pid.
 */
#pragma once
#include <compel/compel.h>
#include <sys/types.h>

struct target_helper {
	struct compel_ctl *ctl; /* with the arguments of the command that creates it */
	int pid_ns; /* of the process; -1: ours */
	pid_t tid; /* the thread that runs the command */
};

/* The pid, in our namespace, of what the process calls @inside; 0: there is none. */
pid_t target_helper_number(const struct target_helper *h, pid_t inside);
/*
 * Waits until it exists, and lets it run until it has exited; it is killed if that fails. @at_exit, if not NULL, is called while it is
 * stopped on its way out and still has all that it had. To be called by the `meanwhile` of compel_command_with().
 */
int target_helper_see_off(const struct target_helper *h, int (*at_exit)(pid_t helper, void *arg), void *arg);
/* waitpid(2) of a tracee. */
pid_t target_helper_wait(pid_t pid, int *ret_status);
