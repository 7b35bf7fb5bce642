// SPDX-License-Identifier: GPL-2.0-only
#include "lazy/worker.h"
#include <endian.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/bits.h"
#include "lazy/daemon.h"
#include "lazy/kept.h"
#include "lazy/remote.h"
#include "util/log.h"

/* Exit status of one whose restore has failed before its tree ran. */
#define EXIT_LEFT 3

struct job {
	struct lazy_daemon *d;
	const struct lazy_client *client;
	int sock, kept;
};

/*
 * SIGTERM for all processes of a service ends this one, too: what is missing then is poisoned by the holder, which nothing would do if
 * both were killed by the SIGKILL that follows.
 */
static void end_by_signal(void)
{
	sigset_t term;

	signal(SIGTERM, SIG_DFL);
	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	sigprocmask(SIG_UNBLOCK, &term, NULL);
}

/* In the new process: all of @d is a copy. */
static int run(void *arg)
{
	struct job *job = arg;
	struct lazy_daemon *d = job->d;
	int err;

	prctl(PR_SET_NAME, "criu-lazy");
	end_by_signal();
	d->sock = job->client->sock;
	d->tool = job->client->tool;
	d->remote = NULL;
	/* The holder needs it, too. */
	err = job->sock >= 0 ? remote_begin_kept(d, job->sock, job->kept) : 0;
	if (!err)
		err = lazy_begin(d);
	if (!err && lazy_greet(job->client))
		return EXIT_LEFT;
	if (!err)
		err = lazy_serve(d);
	return !err ? 0 : d->left ? EXIT_LEFT : 1;
}

static int start(struct job *job, struct worker *w)
{
	struct helper_job helper = { .run = run, .arg = job };
	const int own[] = { job->client->sock, job->sock, job->kept };

	return lazy_helper_start(job->d, &w->process, &helper, own, ARRAY_SIZE(own));
}

int worker_start(struct lazy_daemon *d, const struct kept *kept, struct lazy_client *client, struct worker *ret)
{
	struct worker w = { .process = HELPER_NONE,
			    .sock = -1,
			    .number = ret->number,
			    .journal = journal_new(d->journal->nr_arrivals) };
	struct job job = { .d = d, .client = client, .sock = -1, .kept = kept ? kept_file(kept) : -1 };
	struct lazy_journal *own = d->journal;
	int pair[2] = { -1, -1 }, err = w.journal ? 0 : -ENOMEM;

	if (!err && kept && socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		err = -errno;
	job.sock = pair[1];
	d->journal = w.journal;
	if (!err)
		err = start(&job, &w);
	d->journal = own;
	if (pair[1] >= 0)
		close(pair[1]);
	w.sock = pair[0];
	if (!err) {
		close(client->sock);
		*ret = w;
		return 0;
	}
	worker_hang_up(&w);
	if (w.journal)
		munmap(w.journal, sizeof(*w.journal) + w.journal->nr_arrivals * sizeof(w.journal->arrivals[0]));
	return err;
}

enum worker_end worker_wait(struct worker *w)
{
	int status = helper_wait(&w->process);

	worker_hang_up(w);
	munmap(w->journal, sizeof(*w->journal) + w->journal->nr_arrivals * sizeof(w->journal->arrivals[0]));
	if (WIFEXITED(status) && !WEXITSTATUS(status))
		return WORKER_SERVED;
	return WIFEXITED(status) && WEXITSTATUS(status) == EXIT_LEFT ? WORKER_LEFT : WORKER_FAILED;
}

void worker_hang_up(struct worker *w)
{
	if (w->sock >= 0)
		close(w->sock);
	w->sock = -1;
	w->asked.command = 0;
}

static bool reply(struct worker *w, const void *data, size_t len)
{
	/* One answer always has room. */
	return send(w->sock, data, len, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)len;
}

void worker_read(struct worker *w)
{
	const uint32_t good = htole32(0);
	uint8_t bytes[MESSAGE_SIZE];
	ssize_t n = recv(w->sock, bytes, sizeof(bytes), MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n != sizeof(bytes))
		return worker_hang_up(w);
	message_decode(bytes, &w->asked);
	if (w->asked.command == MESSAGE_GET)
		return;
	if (w->asked.command == MESSAGE_CLOSE)
		reply(w, &good, sizeof(good));
	worker_hang_up(w);
}

void worker_answer(struct worker *w, uint64_t at, uint64_t len)
{
	const struct message m = { .command = MESSAGE_ADD_F,
				   .flags = MESSAGE_PRESENT,
				   .mark = MESSAGE_MARK,
				   .vaddr = w->asked.vaddr,
				   .nr_pages = len / PAGE_SZ,
				   .dst = at };
	uint8_t bytes[MESSAGE_SIZE];

	message_encode(&m, bytes);
	if (reply(w, bytes, sizeof(bytes)))
		w->asked.command = 0;
	else
		worker_hang_up(w);
}
