// SPDX-License-Identifier: GPL-2.0-only
#include "lazy/fetcher.h"
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/bits.h"
#include "lazy/daemon.h"
#include "lazy/remote.h"
#include "lazy/report.h"
#include "util/fds.h"
#include "util/log.h"

#define END_MS 5000 /* a source that is silent for longer takes the end for a failure */

struct job {
	struct lazy_daemon *d;
	int sock, file;
};

static int fetch(const struct job *job, const struct fetch *what)
{
	uint64_t len = what->len;
	const char *pages;
	int64_t done;
	int err = remote_fetch(job->d, what->pid, what->vaddr, &len, &pages);

	if (err)
		return err;
	err = pwrite_full(job->file, pages, len, (off_t)what->at);
	if (err)
		lazy_log(job->d);
	if (err)
		return fail(err, "keep pages of the source in the work directory");
	done = (int64_t)len;
	return send(job->sock, &done, sizeof(done), MSG_NOSIGNAL) == sizeof(done) ? 0 : -errno;
}

static int serve_one(const struct job *job)
{
	struct fetch what;

	if (recv(job->sock, &what, sizeof(what), 0) != sizeof(what))
		return -EPIPE;
	if (what.len)
		return fetch(job, &what);
	remote_disconnect(job->d, true);
	return 1;
}

static int run(void *arg)
{
	const struct job *job = arg;
	struct pollfd fds[2] = { { .fd = job->sock, .events = POLLIN },
				 { .fd = remote_fd(job->d), .events = POLLRDHUP } };
	int err = 0;

	prctl(PR_SET_NAME, "criu-lazy-fetch");
	/* The first process has ended, or gives up. */
	remote_stop_at(job->d, job->sock);
	while (!err) {
		if (poll(fds, 2, -1) < 0)
			err = errno == EINTR ? 0 : -errno;
		else if (fds[0].revents)
			err = serve_one(job);
		else if (fds[1].revents)
			err = remote_hung_up(job->d);
	}
	return err < 0;
}

int fetcher_start(struct lazy_daemon *d, int file, struct fetcher *ret)
{
	struct helper_job helper = { .run = run };
	struct job job = { .d = d, .file = file };
	int pair[2], err = remote_connect(d);

	if (err)
		return err;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return fail(-errno, "socketpair");
	ret->sock = pair[0];
	job.sock = pair[1];
	helper.arg = &job;
	err = lazy_helper_start(d, &ret->process, &helper, (const int[]){ pair[1], file, remote_fd(d) }, 3);
	close(pair[1]);
	remote_leave(d);
	return err ? fail(err, "a process that fetches lazy pages") : 0;
}

int fetcher_ask(const struct fetcher *f, const struct fetch *what)
{
	return send(f->sock, what, sizeof(*what), MSG_NOSIGNAL) == sizeof(*what) ? 0 : -errno;
}

bool fetcher_await_answer(const struct fetcher *f)
{
	struct pollfd in = { .fd = f->sock, .events = POLLIN };

	return poll(&in, 1, END_MS) > 0;
}

int64_t fetcher_answer(const struct fetcher *f)
{
	int64_t len;

	return recv(f->sock, &len, sizeof(len), 0) == sizeof(len) ? len : -ECONNRESET;
}

void fetcher_complete(struct fetcher *f)
{
	f->completes = !fetcher_ask(f, &(struct fetch){ .len = 0 });
}

void fetcher_end(struct fetcher *f)
{
	struct pollfd end = { .fd = f->process.pidfd, .events = POLLIN };

	if (f->completes)
		poll(&end, 1, END_MS);
	if (f->sock >= 0)
		close(f->sock);
	f->sock = -1;
	helper_wait(&f->process);
}
