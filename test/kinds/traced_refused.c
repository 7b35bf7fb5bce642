// SPDX-License-Identifier: GPL-2.0-only
/*
 * A task that is already traced is refused, naming its tracer; it remains traced.
 * test: refused="task [0-9]+ is traced by [0-9]+ [(]traced_refused[)] already"
 */
#include "checkpoint.h"
#include <sys/ptrace.h>
#include <sys/wait.h>

static int child(void *arg)
{
	checkpoint_task("child", 0);
	return test_break();
}

int main(int argc, char **argv)
{
	int status;
	pid_t pid;

	test_init(argc, argv);
	pid = fork_task(child, NULL);
	await_task("child");
	need(!ptrace(PTRACE_SEIZE, pid, 0, 0), "seize");
	checkpoint_here();
	check(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && !WEXITSTATUS(status), "child: %#x", status);
	test_done();
}
