// SPDX-License-Identifier: GPL-2.0-only
/*
 * A program that uses libcriu as programs do: libcriu_client COMMAND [ARG]... runs criu from PATH, and prints results.
 * Notifications are printed as they come.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <criu/criu.h>

static int heard(char *action, criu_notify_arg_t na)
{
	printf("notified: %s %d\n", action, criu_notify_pid(na));
	return 0;
}

static int refuse_post_dump(char *action, criu_notify_arg_t na)
{
	return strcmp(action, "post-dump") ? 0 : 5;
}

static void result(const char *what, int ret)
{
	int error = ret == -EBADE || ret == -ECONNREFUSED ? errno : 0;

	printf("%s: %d errno %d\n", what, ret, error);
	fflush(stdout);
}

static void images(const char *dir, const char *log)
{
	criu_set_images_dir_fd(open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	criu_set_log_file(log);
	criu_set_log_level(CRIU_LOG_DEBUG);
}

static int dump(int pid, const char *dir, const char *how)
{
	images(dir, "dump.log");
	criu_set_pid(pid);
	criu_set_leave_running(!strcmp(how, "running"));
	if (!strcmp(how, "notify"))
		criu_set_notify_cb(heard);
	if (!strcmp(how, "refuse"))
		criu_set_notify_cb(refuse_post_dump);
	result("dump", criu_dump());
	return 0;
}

static int restore(const char *dir, const char *how)
{
	images(dir, "restore.log");
	if (!strcmp(how, "notify"))
		criu_set_notify_cb(heard);
	result("restore", criu_restore());
	return 0;
}

/* The restored tree is our child: its exit is told to us. */
static int restore_child(const char *dir)
{
	sigset_t chld;
	int status, pid;

	images(dir, "restore.log");
	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	sigprocmask(SIG_BLOCK, &chld, NULL);
	pid = criu_restore_child();
	sigprocmask(SIG_UNBLOCK, &chld, NULL);
	result("restore_child", pid);
	if (pid > 0 && waitpid(pid, &status, 0) == pid)
		printf("exited: %d\n", WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status));
	return 0;
}

/* Dumps itself: it returns twice, here if it is left running, and in the restored process. */
static int self(const char *dir, const char *how)
{
	int before = getpid(), ret;

	images(dir, "dump.log");
	criu_set_leave_running(!strcmp(how, "running"));
	printf("before\n");
	fflush(stdout);
	ret = criu_dump();
	result("self", ret);
	printf("after, same pid: %d\n", getpid() == before);
	return 0;
}

static int features(void)
{
	struct criu_feature_check check = { .mem_track = true, .lazy_pages = true, .pidfd_store = true };
	int ret = criu_feature_check(&check, sizeof(check));

	result("features", ret);
	printf("mem_track %d lazy_pages %d pidfd_store %d\n", check.mem_track, check.lazy_pages, check.pidfd_store);
	return 0;
}

int main(int argc, char **argv)
{
	const char *command = argc > 1 ? argv[1] : "", *how = argc > 3 ? argv[argc - 1] : "";
	int err = criu_init_opts();

	if (err)
		return 2;
	if (getenv("CRIU_SERVICE"))
		criu_set_service_address(getenv("CRIU_SERVICE"));
	if (!strcmp(command, "check"))
		result("check", criu_check());
	else if (!strcmp(command, "version"))
		result("version", criu_get_version());
	else if (!strcmp(command, "features"))
		features();
	else if (!strcmp(command, "dump") && argc > 3)
		dump(atoi(argv[2]), argv[3], argc > 4 ? how : "");
	else if (!strcmp(command, "restore") && argc > 2)
		restore(argv[2], how);
	else if (!strcmp(command, "restore-child") && argc > 2)
		restore_child(argv[2]);
	else if (!strcmp(command, "self") && argc > 2)
		self(argv[2], how);
	else
		return 2;
	criu_free_opts();
	return 0;
}
