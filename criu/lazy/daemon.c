// SPDX-License-Identifier: GPL-2.0-only
/* The daemon that a restore starts for itself; and what it has in common with criu lazy-pages. */
#include "lazy/daemon.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/bits.h"
#include "lazy/lazy.h"
#include "lazy/load.h"
#include "lazy/prefetch.h"
#include "lazy/holder.h"
#include "lazy/remote.h"
#include "lazy/report.h"
#include "lazy/serve.h"
#include "run/options.h"
#include "util/fds.h"
#include "util/log.h"
#include "util/proc_root.h"

struct spawn {
	const struct options *opts;
	struct image_store *dir;
	int sock, other_sock;
};

ARRAY_OF(fd_list, int);

static int cmp_int(const void *a, const void *b)
{
	int x = *(const int *)a, y = *(const int *)b;

	return (x > y) - (x < y);
}

/* All descriptors that the daemon needs, sorted. */
static int list_fds(const struct lazy_daemon *d, struct fd_list *ret)
{
	const int own[] = { d->sock, d->work_dir, lazy_has_log_file() ? log_fd() : -1 };
	int err = 0;

	for (size_t i = 0; !err && i < ARRAY_SIZE(own); i++)
		err = own[i] < 0 ? 0 : array_add(ret, own[i]);
	for (const struct lazy_space *s = d->spaces; s; s = s->next)
		for (size_t i = 0; !err && i < s->n; i++)
			if (s->v[i].fd >= 0 && (!ret->n || ret->v[ret->n - 1] != s->v[i].fd))
				err = array_add(ret, s->v[i].fd);
	if (!err)
		qsort(ret->v, ret->n, sizeof(*ret->v), cmp_int);
	return err;
}

int lazy_helper_start(const struct lazy_daemon *d, struct helper_process *ret, struct helper_job *job, const int *more,
		      size_t n)
{
	const int common[] = { STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO, log_fd() };
	struct fd_list keep = { 0 };
	int err = list_fds(d, &keep);

	for (size_t i = 0; !err && i < ARRAY_SIZE(common); i++)
		err = common[i] < 0 ? 0 : array_add(&keep, common[i]);
	for (size_t i = 0; !err && i < n; i++)
		err = more[i] < 0 ? 0 : array_add(&keep, more[i]);
	job->keeps = keep.v;
	job->nr_keeps = keep.n;
	if (!err)
		err = helper_start(ret, job);
	array_free(&keep);
	return err;
}

/* It outlives the tool: nothing of it stays open. */
static int leave_tool(struct lazy_daemon *d)
{
	struct fd_list keep = { 0 };
	unsigned int from = 0;
	int err = list_fds(d, &keep);

	if (!lazy_has_log_file())
		log_to_fd(-1);
	for (size_t i = 0; !err && i < keep.n; i++) {
		unsigned int fd = (unsigned int)keep.v[i];

		if (fd > from)
			err = sys_close_range(from, fd - 1, 0);
		from = fd + 1;
	}
	if (!err)
		err = sys_close_range(from, ~0u, 0);
	array_free(&keep);
	proc_root_forget();
	/* Nothing else may get the numbers of the standard descriptors. */
	for (int fd = 0; !err && fd >= 0 && fd < 3;)
		fd = open_at(AT_FDCWD, "/dev/null", O_RDWR, 0);
	return chdir("/") < 0 ? -errno : err;
}

int lazy_begin(struct lazy_daemon *d)
{
	d->epoll = epoll_create1(EPOLL_CLOEXEC);
	d->kick = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	d->catch_up = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (d->epoll < 0 || d->kick < 0 || d->catch_up < 0)
		return fail(-errno, "descriptors for lazy pages");
	d->buffer = malloc(LAZY_AROUND);
	if (!d->buffer)
		return fail(-ENOMEM, "lazy pages");
	return holder_start(d);
}

int lazy_serve(struct lazy_daemon *d)
{
	int err = serve(d);

	/* With threads that wait for a lost source: the end of the process ends them. */
	if (!err) {
		prefetch_end(d);
		err = d->remote && !d->source_lost ? remote_end(d) : 0;
	}
	/* If it is not, the holder cares for what is missing when we exit: also for a restore that waits for a page. */
	if (!err)
		atomic_store(&d->journal->finished, LAZY_FINISHED);
	else
		lazy_log(d);
	return err ? err : d->lost ? -EIO : 0;
}

void lazy_init(struct lazy_daemon *d, const struct options *opts)
{
	*d = (struct lazy_daemon){ .opts = opts,
				   .holder = HELPER_NONE,
				   .sock = -1,
				   .work_dir = opts->work_dir_fd,
				   .epoll = -1,
				   .kick = -1,
				   .catch_up = -1 };
	pthread_mutex_init(&d->lock, NULL);
	pthread_cond_init(&d->more, NULL);
}

/* A page that is neither in the images nor at a server could never be supplied. */
int lazy_check_local(const struct lazy_daemon *d)
{
	for (const struct lazy_space *s = d->spaces; s; s = s->next)
		for (size_t i = 0; i < s->n; i++)
			if (s->v[i].fd < 0)
				return fail(
					-ENODATA,
					"pages of process %d (at %lx) are not in the images, but at the source of a "
					"lazy dump: start criu lazy-pages --page-server first",
					s->pid, s->v[i].start);
	return 0;
}

static int run_spawned(void *arg)
{
	struct spawn *spawn = arg;
	struct lazy_daemon d;
	int err;

	prctl(PR_SET_NAME, "criu-lazy");
	lazy_init(&d, spawn->opts);
	d.sock = spawn->sock;
	close(spawn->other_sock);
	err = lazy_load(&d, spawn->dir);
	if (!err)
		err = lazy_check_local(&d);
	if (!err)
		err = leave_tool(&d);
	if (!err)
		err = lazy_begin(&d);
	if (!err)
		err = write_full(d.sock, "", 1);
	return err || lazy_serve(&d) ? 1 : 0;
}

int lazy_spawn(const struct options *opts, struct image_store *dir, int *ret_sock)
{
	struct spawn spawn = { .opts = opts, .dir = dir };
	struct helper_job job = { .run = run_spawned, .arg = &spawn };
	struct helper_process daemon = HELPER_NONE;
	int pair[2], err;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return fail(-errno, "socketpair");
	spawn.sock = pair[0];
	spawn.other_sock = pair[1];
	err = helper_start(&daemon, &job);
	close(pair[0]);
	if (err) {
		close(pair[1]);
		return fail(err, "start a daemon for lazy pages");
	}
	log_info("lazy pages: process %d supplies them", daemon.pid);
	/* It ends by itself. */
	close(daemon.pidfd);
	*ret_sock = pair[1];
	return 0;
}
