/* SPDX-License-Identifier: GPL-2.0-only */
#include "run/scripts.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "util/fds.h"
#include "util/log.h"
#include "util/proc_root.h"
#include "util/str.h"

#define OWN_VARIABLES 3 /* SCRIPT_ACTION, IMAGE_DIR, INIT_PID */

struct script_env {
	char action[64], dir[PATH_MAX + 32], pid[40];
	char **v;
};

/* An absolute path, for scripts that change directory; the path as given if the directory has been removed. */
static int fill_images_dir(const struct options *opts, struct script_env *env)
{
	static const char name[] = "CRTOOLS_IMAGE_DIR=";
	char *path = env->dir + strlen(name);
	ssize_t len = -EBADF;

	strcpy(env->dir, name);
	if (opts->images_dir_fd >= 0)
		len = proc_fd_read_link(opts->images_dir_fd, path, PATH_MAX);
	if (len < 0 || path[0] != '/')
		return str_format(path, PATH_MAX, "%s", opts->images_dir ? opts->images_dir : ".");
	return 0;
}

static bool is_own(const char *variable)
{
	return str_has_prefix(variable, "CRTOOLS_SCRIPT_ACTION=") || str_has_prefix(variable, "CRTOOLS_IMAGE_DIR=") ||
	       str_has_prefix(variable, "CRTOOLS_INIT_PID=");
}

static int fill_env(const struct options *opts, const struct notice *notice, struct script_env *env)
{
	size_t n = 0, to = 0;
	int err = str_format(env->action, sizeof(env->action), "CRTOOLS_SCRIPT_ACTION=%s", notice->action);

	if (!err)
		err = fill_images_dir(opts, env);
	if (err)
		return err;
	snprintf(env->pid, sizeof(env->pid), "CRTOOLS_INIT_PID=%d", notice->pid);
	while (environ && environ[n])
		n++;
	env->v = calloc(n + OWN_VARIABLES + 1, sizeof(*env->v));
	if (!env->v)
		return -ENOMEM;
	env->v[to++] = env->action;
	env->v[to++] = env->dir;
	if (notice->pid)
		env->v[to++] = env->pid;
	for (size_t i = 0; i < n; i++)
		if (!is_own(environ[i]))
			env->v[to++] = environ[i];
	return 0;
}

/* posix_spawn(3): its functions return errnos. */
static int set_up(posix_spawn_file_actions_t *actions, posix_spawnattr_t *attr)
{
	int err, out = log_fd() >= 0 ? log_fd() : STDERR_FILENO;
	sigset_t none, ours;

	sigemptyset(&none);
	sigemptyset(&ours);
	sigaddset(&ours, SIGPIPE);
	sigaddset(&ours, SIGINT);
	sigaddset(&ours, SIGQUIT);
	err = posix_spawnattr_setsigmask(attr, &none);
	if (!err)
		err = posix_spawnattr_setsigdefault(attr, &ours);
	if (!err)
		err = posix_spawnattr_setflags(attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	if (!err)
		err = posix_spawn_file_actions_adddup2(actions, out, STDERR_FILENO);
	if (!err)
		err = posix_spawn_file_actions_adddup2(actions, STDERR_FILENO, STDOUT_FILENO);
	if (!err)
		err = posix_spawn_file_actions_addopen(actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	if (!err)
		err = posix_spawn_file_actions_addclosefrom_np(actions, STDERR_FILENO + 1);
	return -err;
}

static int spawn(const char *path, char **env, pid_t *ret_pid)
{
	char *argv[] = { (char *)path, NULL };
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	int err = -posix_spawn_file_actions_init(&actions);

	if (err)
		return err;
	err = -posix_spawnattr_init(&attr);
	if (!err) {
		err = set_up(&actions, &attr);
		if (!err)
			err = -posix_spawn(ret_pid, path, &actions, &attr, argv, env);
		posix_spawnattr_destroy(&attr);
	}
	posix_spawn_file_actions_destroy(&actions);
	return err;
}

static int run_one(const char *path, const char *action, char **env)
{
	pid_t pid;
	int status, err = spawn(path, env, &pid);

	if (err == -ENOEXEC)
		return fail(err, "action script %s: neither an executable nor a script with #!", path);
	if (err)
		return fail(err, "action script %s", path);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return fail(-errno, "wait for the action script %s", path);
	if (WIFSIGNALED(status))
		return fail(-ECANCELED, "action script %s was killed by signal %d at %s", path, WTERMSIG(status),
			    action);
	if (WEXITSTATUS(status))
		return fail(-ECANCELED, "action script %s failed in phase %s: exit status %d", path, action,
			    WEXITSTATUS(status));
	return 0;
}

static int run_scripts(const struct notify_outlet *outlet, const struct options *opts, const struct notice *notice)
{
	struct script_env env = { .v = NULL };
	int err;

	if (notice->client_only)
		return 0;
	err = fill_env(opts, notice, &env);
	if (err)
		fail(err, "run action scripts for %s", notice->action);
	for (size_t i = 0; !err && i < opts->action_scripts.n; i++) {
		log_debug("action script %s: %s", opts->action_scripts.v[i], notice->action);
		err = run_one(opts->action_scripts.v[i], notice->action, env.v);
	}
	free(env.v);
	return err;
}

const struct notify_outlet scripts_outlet = { .notify = run_scripts };

int scripts_set_root(pid_t pid)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", pid);
	return setenv("CRTOOLS_INIT_PID", text, 1) ? -ENOMEM : 0;
}
