// SPDX-License-Identifier: GPL-2.0-only
/*
 * The socket pair tells the keeper that the dumper is dead. While a socket is in an unusual state the guard of the dump
 * (run/guard.h) keeps a dumper that is killed from letting the tree go. The keeper runs with real-time priority, where it
 * may, so that nobody stretches that by taking its CPU away.
 */
#include "kinds/fd/inet/keeper.h"
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/bits.h"
#include "base/cleanup.h"
#include "kinds/fd/inet/tcp_repair.h"
#include "netfilter/nft_lock.h"
#include "run/guard.h"
#include "util/fds.h"
#include "util/log.h"
#include "util/proc_root.h"

#define AREA_AT_LEAST (16u << 20)
#define TREE_WAIT_MS 300

enum phase { NOTHING_TO_UNDO, TREE_ENDS };

struct common {
	_Atomic uint32_t phase;
	uint32_t first, nr; /* jobs of this round */
	_Atomic uint32_t at; /* the one that is worked on */
	struct keeper_job jobs[];
};

struct keeper {
	struct common *common;
	struct guard *guard;
	char *area; /* shared too */
	size_t common_size, area_size, nr_jobs;
	int sock; /* our end; -1: released */
	pid_t pid; /* 0: not there */
};

static void *share(size_t size, int flags)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | flags, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

/* ---- in the keeper ---- */

static bool dumper_died(int sock)
{
	char byte;

	return !recv(sock, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
}

static size_t count_dead(const struct keeper_care *care, int ms)
{
	struct pollfd *p = calloc(care->nr_pidfds + 1, sizeof(*p));
	size_t n = 0;

	for (size_t i = 0; p && i < care->nr_pidfds; i++)
		p[i] = (struct pollfd){ care->pidfds[i], POLLIN, 0 };
	if (p)
		poll(p, care->nr_pidfds, ms);
	for (size_t i = 0; p && i < care->nr_pidfds; i++)
		n += p[i].revents != 0;
	free(p);
	return n;
}

/* Either it has been ended, every task of it, or nobody has begun with that. */
static void take_back(const struct keeper *k, const struct keeper_care *care)
{
	size_t dead = count_dead(care, TREE_WAIT_MS);

	if (!dead) {
		if (care->netlink && care->table[0])
			nft_lock_remove(care->netlink, care->table);
		return;
	}
	for (int i = 0; dead < care->nr_pidfds && i < 20; i++) {
		poll(NULL, 0, TREE_WAIT_MS / 10);
		dead = count_dead(care, 0);
	}
	for (size_t i = 0; dead == care->nr_pidfds && i < k->nr_jobs; i++)
		if (k->common->jobs[i].what == KEEPER_STREAM)
			tcp_repair(k->common->jobs[i].fd, TCP_REPAIR_ON);
}

static __attribute__((noreturn)) void keep(const struct keeper *k, const struct keeper_care *care, int sock)
{
	struct common *c = k->common;
	char byte;

	while (recv(sock, &byte, 1, 0) == 1) {
		for (uint32_t i = c->first; i < c->first + c->nr && !dumper_died(sock) && guard_enter(k->guard); i++) {
			atomic_store(&c->at, i);
			c->jobs[i].err = keeper_job_run(&c->jobs[i]);
			guard_leave(k->guard);
		}
		/* Unheard, the dumper would wait for ever; that we end it hears. */
		if (send(sock, &byte, 1, MSG_NOSIGNAL) != 1)
			break;
	}
	if (atomic_load(&c->phase) == TREE_ENDS)
		take_back(k, care);
	_exit(0);
}

static int compare(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

/* What the dumper holds of the world stays its own matter: a pipe that it has died of must be closed. */
static int close_all_but(const struct keeper *k, const struct keeper_care *care, int sock)
{
	int *keep = calloc(k->nr_jobs + care->nr_pidfds + 3, sizeof(*keep));
	unsigned int next = 0;
	size_t n = 0;
	int err = 0;

	if (!keep)
		return -ENOMEM;
	keep[n++] = sock;
	if (care->netlink)
		keep[n++] = netlink_fd(care->netlink);
	for (size_t i = 0; i < care->nr_pidfds; i++)
		keep[n++] = care->pidfds[i];
	for (size_t i = 0; i < k->nr_jobs; i++)
		keep[n++] = k->common->jobs[i].fd;
	qsort(keep, n, sizeof(*keep), compare);
	for (size_t i = 0; i < n; i++) {
		if (!err && keep[i] > (int)next)
			err = sys_close_range(next, keep[i] - 1, 0);
		next = keep[i] + 1;
	}
	if (!err)
		err = sys_close_range(next, ~0u, 0);
	proc_root_forget();
	free(keep);
	/* With the dumper's own end of the pair left open it would never hear that one hang up. */
	return err;
}

static __attribute__((noreturn)) void be_keeper(const struct keeper *k, const struct keeper_care *care, int sock)
{
	struct sched_param param = { .sched_priority = 1 };
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	/* Not in the dumper's group: what ends that one must not end this one with it. */
	setsid();
	sched_setscheduler(0, SCHED_FIFO, &param);
	log_to_fd(-1);
	if (close_all_but(k, care, sock) < 0)
		_exit(1);
	keep(k, care, sock);
}

/* ---- in the dumper ---- */

int keeper_new(size_t nr_jobs, struct keeper **ret, struct keeper_job **ret_jobs)
{
	struct keeper *k = calloc(1, sizeof(*k));

	if (!k)
		return -ENOMEM;
	k->sock = -1;
	k->nr_jobs = nr_jobs;
	k->common_size = sizeof(*k->common) + nr_jobs * sizeof(k->common->jobs[0]);
	k->common = share(k->common_size, MAP_POPULATE);
	if (!k->common) {
		free(k);
		return -ENOMEM;
	}
	*ret = k;
	*ret_jobs = k->common->jobs;
	return 0;
}

static size_t job_size(const struct keeper_job *job)
{
	return (size_t)job->in_len + job->out_len;
}

/* Filled with pages beforehand: they are not looked for while a socket is in repair mode. */
static int make_area(struct keeper *k)
{
	size_t sum = 0, largest = 0;

	for (size_t i = 0; i < k->nr_jobs; i++) {
		sum += job_size(&k->common->jobs[i]);
		largest = MAX_OF(largest, job_size(&k->common->jobs[i]));
	}
	k->area_size = MIN_OF(sum, MAX_OF(largest, AREA_AT_LEAST));
	if (k->area_size)
		k->area = share(k->area_size, MAP_POPULATE);
	return k->area_size && !k->area ? -ENOMEM : 0;
}

int keeper_start(struct keeper *k, const struct keeper_care *care, struct guard *guard)
{
	int pair[2], err = make_area(k);

	if (err || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return err ? err : -errno;
	k->guard = guard;
	k->pid = fork();
	if (!k->pid)
		be_keeper(k, care, pair[1]);
	err = k->pid < 0 ? -errno : 0;
	close(pair[1]);
	if (err) {
		k->pid = 0;
		close(pair[0]);
		return err;
	}
	k->sock = pair[0];
	return 0;
}

/* Somebody has killed it: the dump fails, but no connection does. */
static int keeper_is_gone(struct keeper *k)
{
	struct keeper_job *job = &k->common->jobs[atomic_load(&k->common->at)];

	keeper_job_undo(job);
	guard_leave(k->guard);
	return -EPIPE;
}

ssize_t keeper_read(struct keeper *k, size_t first)
{
	struct common *c = k->common;
	size_t used = 0, i = first;
	char byte = 'r';
	ssize_t got;

	for (; i < k->nr_jobs && used + job_size(&c->jobs[i]) <= k->area_size; i++) {
		c->jobs[i].in = k->area + used;
		c->jobs[i].out = k->area + used + c->jobs[i].in_len;
		c->jobs[i].err = -ECANCELED;
		used += job_size(&c->jobs[i]);
	}
	c->first = first;
	c->nr = i - first;
	if (send(k->sock, &byte, 1, MSG_NOSIGNAL) != 1)
		return keeper_is_gone(k);
	while ((got = recv(k->sock, &byte, 1, 0)) < 0 && errno == EINTR)
		;
	return got == 1 ? (ssize_t)(i - first) : keeper_is_gone(k);
}

void keeper_tree_ends(struct keeper *k)
{
	atomic_store(&k->common->phase, TREE_ENDS);
}

void keeper_release(struct keeper *k)
{
	atomic_store(&k->common->phase, NOTHING_TO_UNDO);
	if (k->sock >= 0)
		close(steal_fd(&k->sock));
}

void keeper_free(struct keeper *k)
{
	if (!k)
		return;
	keeper_release(k);
	while (k->pid && waitpid(k->pid, NULL, __WALL) < 0 && errno == EINTR)
		;
	munmap(k->common, k->common_size);
	if (k->area)
		munmap(k->area, k->area_size);
	free(k);
}
