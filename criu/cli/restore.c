// SPDX-License-Identifier: GPL-2.0-only
/* criu restore, and what criu itself does once the tree runs. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/usage.h"
#include "cli/cli.h"
#include "cli/options.h"
#include "restore/restore.h"
#include "run/scripts.h"

/* Exits by the signal that killed the root, so that the caller sees the same; the root has written its core file. */
static void die_by(int sig)
{
	struct rlimit no_core = { 0, 0 };
	sigset_t set;

	setrlimit(RLIMIT_CORE, &no_core);
	signal(sig, SIG_DFL);
	sigemptyset(&set);
	sigaddset(&set, sig);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	raise(sig);
}

/* The exit status of the tree's root becomes ours. */
static int pass_on(int wait_status)
{
	if (WIFEXITED(wait_status))
		return WEXITSTATUS(wait_status);
	if (WIFSIGNALED(wait_status)) {
		die_by(WTERMSIG(wait_status));
		return 128 + WTERMSIG(wait_status);
	}
	return EXIT_FAILURE;
}

/* The command waits for the root by this variable. */
static int become(const struct options *opts, pid_t root)
{
	if (scripts_set_root(root) < 0)
		return usage_error("--exec-cmd: out of memory; the tree runs without it");
	execvp(opts->exec_cmd.v[0], opts->exec_cmd.v);
	usage_error("--exec-cmd: %s: %s; the tree runs without it", opts->exec_cmd.v[0], strerror(errno));
	return EXIT_FAILURE;
}

int restore_command(struct request *req, const struct words *words)
{
	const struct options *opts = &req->opts;
	struct restore_result result = { 0 };
	int ret = session_begin(req);

	if (ret < 0)
		return ret;
	ret = restore_run(opts, &result);
	if (ret < 0)
		return session_end(req, ret);
	session_end(req, 0);
	if (opts->exec_cmd.n)
		return become(opts, result.root_pid);
	return opts->restore_detached ? EXIT_SUCCESS : pass_on(result.wait_status);
}
