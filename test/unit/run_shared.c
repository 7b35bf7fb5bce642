// SPDX-License-Identifier: GPL-2.0-only
/* Tasks that wait in the shared mapping of a restore continue when the tool has gone, however it ended. */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include "run/shared.h"
#include "util_check.h"

#define TASK_WAIT_S 20

/* What the processes of a case tell each other. */
struct report {
	struct shared *shared;
	_Atomic int result;
};

static struct report *report;

/* The test is the subreaper of the task that its tool leaves behind. */
static int end_of_task(void)
{
	int status;

	while (waitpid(-1, &status, 0) > 0)
		;
	return atomic_load(&report->result);
}

static void task_main(int (*wait_for)(struct shared *shared))
{
	alarm(TASK_WAIT_S);
	atomic_store(&report->result, wait_for(report->shared));
	_exit(0);
}

/* Runs a tool with one task in @wait_for; the tool then calls @end. Returns what @wait_for did; 1: it never returned. */
static int tool_ends(int (*wait_for)(struct shared *shared), void (*end)(struct shared *shared))
{
	pid_t tool;

	atomic_store(&report->result, 1);
	tool = fork();
	if (!tool) {
		if (shared_new(1, 1, 0, &report->shared))
			_exit(1);
		report->shared->expected[STAGE_FORKED] = 2;
		if (!fork())
			task_main(wait_for);
		end(report->shared);
		_exit(0);
	}
	return end_of_task();
}

static void is_killed(struct shared *shared)
{
	(void)shared;
	kill(getpid(), SIGKILL);
}

static void ends_its_part_and_stays(struct shared *shared)
{
	shared_end_tool(shared);
	wait(NULL);
}

static int wait_for_stage(struct shared *shared)
{
	return shared_wait(shared, STAGE_FORKED);
}

static int wait_for_file(struct shared *shared)
{
	pid_t pid;
	int fd;

	return shared_file_wait(shared, 0, &pid, &fd);
}

/* As the restorer does: pie/restorer/threads.c */
static int wait_for_tool(struct shared *shared)
{
	while (!shared_tool_ended(shared))
		usleep(1000); /* style: the test is about the flag */
	return 0;
}

static void a_stage_is_not_awaited_after_a_killed_tool(void)
{
	CHECK(tool_ends(wait_for_stage, is_killed) == -ECANCELED);
}

static void a_file_is_not_awaited_after_a_killed_tool(void)
{
	CHECK(tool_ends(wait_for_file, is_killed) == -ECANCELED);
}

static void a_killed_tool_has_ended(void)
{
	CHECK(tool_ends(wait_for_tool, is_killed) == 0);
}

static void a_tool_that_exits_has_ended(void)
{
	CHECK(tool_ends(wait_for_tool, shared_free) == 0);
}

static void a_tool_that_stays_can_end_its_part(void)
{
	CHECK(tool_ends(wait_for_tool, ends_its_part_and_stays) == 0);
}

int main(void)
{
	report = mmap(NULL, sizeof(*report), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (report == MAP_FAILED || prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
		return 1;
	RUN(a_stage_is_not_awaited_after_a_killed_tool);
	RUN(a_file_is_not_awaited_after_a_killed_tool);
	RUN(a_killed_tool_has_ended);
	RUN(a_tool_that_exits_has_ended);
	RUN(a_tool_that_stays_can_end_its_part);
	DONE();
}
