// SPDX-License-Identifier: GPL-2.0-only
/* criu restore: and what becomes of the program once the tree runs. */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/cli.h"
#include "restore/restore.h"

/* As execvp(3) would find it: what cannot be started is told before the tree is there. */
static bool can_execute(const char *command)
{
	const char *dirs = getenv("PATH");
	char path[PATH_MAX];

	if (strchr(command, '/'))
		return access(command, X_OK) == 0;
	for (const char *dir = dirs ? dirs : "/bin:/usr/bin"; *dir; dir += *dir == ':') {
		size_t len = strcspn(dir, ":");

		if (snprintf(path, sizeof(path), "%.*s/%s", len ? (int)len : 1, len ? dir : ".", command) <
			    (int)sizeof(path) &&
		    access(path, X_OK) == 0)
			return true;
		dir += len;
	}
	return false;
}

static int restore_options_fit(const struct options *opts)
{
	if (opts->restore_sibling && !opts->restore_detached)
		return usage_error("--restore-sibling needs --restore-detached: nobody can wait for a sibling");
	if (opts->exec_cmd.n && opts->restore_detached)
		return usage_error(
			"--exec-cmd and --restore-detached exclude each other: the command is the tree's parent");
	if (opts->exec_cmd.n && opts->restore_sibling)
		return usage_error("--exec-cmd and --restore-sibling exclude each other");
	if (opts->exec_cmd.n && !can_execute(opts->exec_cmd.v[0]))
		return usage_error("--exec-cmd: there is no program %s", opts->exec_cmd.v[0]);
	if (opts->has_images_user && opts->shell_job)
		return usage_error(
			"--untrusted-images and --shell-job exclude each other: the user would get your terminal");
	return 0;
}

/* End by the signal that ended the root, so that a caller sees the same; its core file was written already. */
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

static int become(const struct options *opts)
{
	execvp(opts->exec_cmd.v[0], opts->exec_cmd.v);
	usage_error("--exec-cmd: %s: %s; the tree runs without it", opts->exec_cmd.v[0], strerror(errno));
	return EXIT_FAILURE;
}

int restore_command(struct options *opts, const struct words *words)
{
	struct session session;
	int wait_status = 0, ret = restore_options_fit(opts);

	if (ret == 0)
		ret = session_begin(&session, opts, "restore");
	if (ret < 0)
		return ret;
	/* Who becomes the tree's parent waits for it himself. */
	if (opts->exec_cmd.n)
		opts->restore_detached = true;
	ret = restore_run(opts, &wait_status);
	if (ret < 0)
		return session_end(&session, ret);
	session_end(&session, 0);
	if (opts->exec_cmd.n)
		return become(opts);
	return opts->restore_detached ? EXIT_SUCCESS : pass_on(wait_status);
}
