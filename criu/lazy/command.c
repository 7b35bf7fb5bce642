// SPDX-License-Identifier: GPL-2.0-only
/* criu lazy-pages: the daemon for a restore that connects to it. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include "image/dir.h"
#include "lazy/daemon.h"
#include "lazy/lazy.h"
#include "run/notify.h"
#include "run/options.h"
#include "util/fds.h"
#include "util/log.h"
#include "util/output.h"
#include "util/proc_root.h"

/* In the work directory, where a daemon that was killed may have left a socket. */
static int listen_in(const struct options *opts)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	char dir[PROC_FD_NAME_MAX];
	struct stat st;
	mode_t mask;
	int sock, err;

	if (!fstatat(opts->work_dir_fd, LAZY_SOCKET, &st, AT_SYMLINK_NOFOLLOW) && S_ISSOCK(st.st_mode))
		unlinkat(opts->work_dir_fd, LAZY_SOCKET, 0);
	sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (sock < 0)
		return fail(-errno, "socket");
	snprintf(at.sun_path, sizeof(at.sun_path), "%s/" LAZY_SOCKET, proc_fd_path(dir, opts->work_dir_fd));
	/* Whoever connects gets the memory of the tree. */
	mask = umask(0077);
	err = bind(sock, (struct sockaddr *)&at, sizeof(at)) < 0 || listen(sock, 10) < 0 ? -errno : 0;
	umask(mask);
	if (!err)
		return sock;
	close(sock);
	return fail(err, "listen on " LAZY_SOCKET " in the work directory");
}

static int write_pidfile(const struct options *opts)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%d", getpid()), err;

	if (!opts->pidfile)
		return 0;
	err = output_write(opts->work_dir_fd, opts->pidfile, text, (size_t)len);
	return err ? fail(err, "write the pid file %s: %s", opts->pidfile, output_error(err)) : 0;
}

static int report_ready(const struct options *opts)
{
	int err = write_pidfile(opts);

	if (!err)
		err = notify_step(opts, "status-ready", 0);
	if (!err && opts->status_fd >= 0) {
		err = write_full(opts->status_fd, "", 1);
		close(opts->status_fd);
		if (err)
			fail(err, "--status-fd %d", opts->status_fd);
	}
	return err;
}

/* In the parent: the exit status, when the child is ready, or has failed. */
static int await_ready(pid_t child, int pipe)
{
	char ready;
	int status;

	if (read_full(pipe, &ready, 1) == 1)
		return 0;
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	return 1;
}

/* Continues in the child. @ret_ready: to be written to when it is ready. */
static int go_to_background(int *ret_ready)
{
	int fds[2], null;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return fail(-errno, "pipe");
	pid = fork();
	if (pid < 0)
		return fail(-errno, "fork");
	if (pid) {
		close(fds[1]);
		_exit(await_ready(pid, fds[0]));
	}
	close(fds[0]);
	if (!lazy_has_log_file())
		log_to_fd(-1);
	*ret_ready = fds[1];
	null = open_at(AT_FDCWD, "/dev/null", O_RDWR, 0);
	if (null < 0 || setsid() < 0)
		return fail(null < 0 ? null : -errno, "leave the terminal");
	for (int fd = 0; fd < 3; fd++)
		dup2(null, fd);
	close(null);
	return 0;
}

static int accept_restore(struct lazy_daemon *d, int sock)
{
	do
		d->sock = accept4(sock, NULL, NULL, SOCK_CLOEXEC);
	while (d->sock < 0 && errno == EINTR);
	unlinkat(d->opts->work_dir_fd, LAZY_SOCKET, 0);
	return d->sock < 0 ? fail(-errno, "accept") : 0;
}

static int run(struct lazy_daemon *d, int sock, int *ready)
{
	int err = d->opts->restore_detached ? go_to_background(ready) : 0;

	if (!err)
		err = report_ready(d->opts);
	if (!err && *ready >= 0)
		err = write_full(*ready, "", 1);
	if (err)
		return err;
	log_info("lazy pages: listening on " LAZY_SOCKET);
	err = accept_restore(d, sock);
	close(sock);
	if (!err)
		err = lazy_begin(d);
	if (!err)
		err = lazy_serve(d);
	if (d->opts->pidfile)
		output_remove(d->opts->work_dir_fd, d->opts->pidfile);
	return err;
}

int lazy_pages_run(const struct options *opts)
{
	struct image_store *dir = NULL;
	struct lazy_daemon d;
	int ready = -1, sock, err = image_dir_open_fd(opts->images_dir_fd, &dir);

	if (err)
		return fail(err, "open the images directory %s", opts->images_dir);
	lazy_init(&d, opts);
	err = lazy_load(&d, dir);
	if (!err)
		err = lazy_check_local(&d);
	image_store_close(dir);
	if (err)
		return err;
	signal(SIGPIPE, SIG_IGN);
	sock = listen_in(opts);
	err = sock < 0 ? sock : run(&d, sock, &ready);
	if (ready >= 0)
		close(ready);
	return err;
}
