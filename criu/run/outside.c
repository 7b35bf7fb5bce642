// SPDX-License-Identifier: GPL-2.0-only
#include "run/outside.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/bits.h"
#include "base/cleanup.h"
#include "run/user_ns.h"
#include "util/fds.h"
#include "util/log.h"
#include "util/proc_root.h"
#include "util/str.h"

struct server {
	struct restore *r;
	int sock;
	int (*answer)(struct restore *, const struct outside_asked *);
};

/* Each request has its own socket for the answer, as many tasks use one for requests. */
static void answer_one(const struct server *s, const struct outside_request *request, const int *fds, size_t n)
{
	struct outside_asked asked = { request, n > 1 ? fds[1] : -1, -1 };
	_cleanup_close_ int fd = -1;
	struct ucred cred;
	socklen_t len = sizeof(cred);
	int err;

	/* Who has created the pair: with the number that it has here. */
	if (!getsockopt(fds[0], SOL_SOCKET, SO_PEERCRED, &cred, &len))
		asked.pid = cred.pid;
	fd = s->answer(s->r, &asked);
	err = fd < 0 ? fd : 0;
	err = send_fds(fds[0], &fd, fd >= 0, &err, sizeof(err));
	/* An io_uring cannot be sent. */
	if (err)
		send_fds(fds[0], NULL, 0, &err, sizeof(err));
}

static int serve(void *arg)
{
	const struct server *s = arg;
	struct outside_request request;

	/* A task waits for answers, and is killed with the tool. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	close(s->r->outside_fd);
	for (;;) {
		int fds[2] = { -1, -1 };
		size_t n = ARRAY_SIZE(fds);
		ssize_t got = recv_fds(s->sock, fds, &n, &request, sizeof(request));

		if (got <= 0)
			return 0;
		request.name[sizeof(request.name) - 1] = 0;
		if (n && got == sizeof(request))
			answer_one(s, &request, fds, n);
		for (size_t i = 0; i < n; i++)
			close(fds[i]);
	}
}

int outside_begin(struct restore *r, int (*answer)(struct restore *, const struct outside_asked *))
{
	_cleanup_close_ int theirs = -1;
	struct server server = { .r = r, .answer = answer };
	struct helper_job job = { .run = serve, .arg = &server };
	int pair[2], err;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return fail(-errno, "socketpair");
	theirs = server.sock = pair[1];
	r->outside_fd = move_fd_above(pair[0], r->service_base);
	if (r->outside_fd < 0) {
		close(pair[0]);
		return fail(r->outside_fd, "keep a socket open");
	}
	err = helper_start(&r->tool.outside, &job);
	return err ? fail(err, "start the process that opens files with the rights of this program") : 0;
}

void outside_end(struct restore *r)
{
	helper_kill(&r->tool.outside);
	if (r->outside_fd >= 0)
		close(r->outside_fd);
	r->outside_fd = -1;
}

static int ask(const struct restore *r, const struct outside_request *request, int pidfd)
{
	_cleanup_close_ int mine = -1, theirs = -1;
	int pair[2], sent[2], fd = -1, err = -ECONNRESET;
	size_t n = 1;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	mine = pair[0];
	theirs = pair[1];
	sent[0] = theirs;
	sent[1] = pidfd;
	err = send_fds(r->outside_fd, sent, 1 + (pidfd >= 0), request, sizeof(*request));
	if (err)
		return err;
	cleanup_close(&theirs);
	theirs = -1;
	if (recv_fds(mine, &fd, &n, &err, sizeof(err)) != sizeof(err))
		return -ECONNRESET;
	return err ? err : n == 1 ? fd : -EBADMSG;
}

static int ask_by_name(const struct restore *r, struct outside_request *request, const char *name)
{
	if (r->outside_fd < 0)
		return -EACCES;
	return str_format(request->name, sizeof(request->name), "%s", name) ?: ask(r, request, -1);
}

int outside_open_image(const struct restore *r, int dir, const char *name)
{
	return ask_by_name(r, &(struct outside_request){ .what = OUTSIDE_IMAGE, .dir = dir }, name);
}

int outside_open_file(const struct restore *r, const char *path, unsigned flags)
{
	return ask_by_name(r, &(struct outside_request){ .what = OUTSIDE_FILE, .flags = flags }, path);
}

int outside_getfd(const struct restore *r, int pidfd, int number)
{
	return r->outside_fd < 0 ?
		       -EPERM :
		       ask(r, &(struct outside_request){ .what = OUTSIDE_DESCRIPTOR, .number = number }, pidfd);
}

int restore_write_own_proc(const struct restore *r, const char *name, const char *text)
{
	_cleanup_close_ int fd = open_fmt(proc_root(), O_WRONLY | O_CLOEXEC, "self/%s", name);

	if (fd == -EACCES)
		fd = ask_by_name(r, &(struct outside_request){ .what = OUTSIDE_PROC }, name);
	if (fd < 0)
		return fd;
	return write(fd, text, strlen(text)) < 0 ? -errno : 0;
}

int outside_new_tmpfs(const struct restore *r)
{
	return ask_by_name(r, &(struct outside_request){ .what = OUTSIDE_TMPFS }, "");
}

int outside_open_process(const struct restore *r, pid_t pid, unsigned flags)
{
	return ask_by_name(r, &(struct outside_request){ .what = OUTSIDE_PROCESS, .pid = pid, .flags = flags }, "");
}

int outside_open_pid_ns(const struct restore *r, pid_t pid, unsigned flags)
{
	return ask_by_name(r, &(struct outside_request){ .what = OUTSIDE_PID_NS, .pid = pid, .flags = flags }, "");
}

int restore_open_mapping(const struct restore *r, const void *start, uint64_t len)
{
	const uint64_t at = (uintptr_t)start;

	if (restore_user_ns(r) && r->outside_fd >= 0)
		return ask_by_name(
			r, &(struct outside_request){ .what = OUTSIDE_MAPPING, .start = at, .end = at + len }, "");
	return rights_may(&r->rights, RIGHT_MAP_FILES) ?
		       open_fmt(proc_root(), O_RDWR, "self/map_files/%lx-%lx", at, at + len) :
		       -EPERM;
}
