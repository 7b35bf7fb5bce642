// SPDX-License-Identifier: LGPL-2.1-only
/* Connections to criu: a service's socket, a socket that was passed, or a program that is started for one call. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "internal.h"

extern char **environ;

static int open_socket(const char *path, int *ret_fd)
{
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	if (fd < 0)
		return -ECONNREFUSED;
	if (strlen(path) >= sizeof(address.sun_path)) {
		errno = ENAMETOOLONG;
		return -ECONNREFUSED;
	}
	strcpy(address.sun_path, path);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)))
		return -ECONNREFUSED;
	*ret_fd = steal_fd(&fd);
	return 0;
}

/*
 * Starts `criu swrk FD` in a process of its own; not by fork(2), which copies the page tables of a large program. It
 * inherits all descriptors that are to be inherited, and can receive SIGCHLD, which callers of criu_restore_child() block.
 */
static int spawn(const char *binary, int fd, short flags, pid_t *ret_pid)
{
	char number[16];
	char *argv[] = { (char *)binary, (char *)"swrk", number, NULL };
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t mask;
	int err;

	snprintf(number, sizeof(number), "%d", fd);
	if (posix_spawnattr_init(&attr))
		return -ENOMEM;
	if (posix_spawn_file_actions_init(&actions)) {
		posix_spawnattr_destroy(&attr);
		return -ENOMEM;
	}
	pthread_sigmask(SIG_SETMASK, NULL, &mask);
	sigdelset(&mask, SIGCHLD);
	posix_spawnattr_setsigmask(&attr, &mask);
	posix_spawnattr_setflags(&attr, (short)(POSIX_SPAWN_SETSIGMASK | flags));
	err = posix_spawn_file_actions_adddup2(&actions, fd, fd); /* clears its close-on-exec flag */
	if (!err)
		err = posix_spawnp(ret_pid, binary, &actions, &attr, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attr);
	return -err;
}

static void wait_for(pid_t pid)
{
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

/* By a process that exits at once, so that nothing of it is a descendant of ours, or in our session. */
static int spawn_detached(const char *binary, int fd)
{
	pid_t pid = fork();

	if (pid < 0)
		return -errno;
	if (!pid) {
		pid_t worker;

		_exit(spawn(binary, fd, POSIX_SPAWN_SETSID, &worker) ? 1 : 0);
	}
	wait_for(pid);
	return 0;
}

static int start_program(const char *binary, bool detached, struct connection *ret)
{
	_cleanup_close_ int ours = -1, theirs = -1;
	pid_t worker = 0;
	int pair[2], err;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return -ECOMM;
	ours = pair[0];
	/* Not one of the standard descriptors: messages of the program would get into the connection. */
	theirs = fcntl(pair[1], F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	close(pair[1]);
	if (theirs < 0)
		return -ECOMM;
	err = detached ? spawn_detached(binary, theirs) : spawn(binary, theirs, 0, &worker);
	if (err)
		return -ECOMM;
	*ret = (struct connection){ .fd = steal_fd(&ours), .worker = worker };
	return 0;
}

int connection_open(criu_opts *opts, bool detached, struct connection *ret)
{
	*ret = (struct connection){ .fd = -1 };
	switch (opts->comm) {
	case CRIU_COMM_SK:
		return open_socket(opts_path(opts), &ret->fd);
	case CRIU_COMM_FD:
		ret->fd = opts->fd;
		opts->fd = -1;
		return ret->fd < 0 ? -ECOMM : 0;
	case CRIU_COMM_BIN:
		return start_program(opts_path(opts), detached, ret);
	}
	return -EINVAL;
}

void connection_close(struct connection *connection)
{
	int saved = errno;

	if (connection->fd >= 0)
		close(connection->fd);
	if (connection->worker > 0)
		wait_for(connection->worker);
	errno = saved;
}
