// SPDX-License-Identifier: GPL-2.0-only
/*
 * The keeper learns from the socket pair that the dumper has died. While a socket is in an unusual state, the guard of
 * the dump (run/guard.h) prevents a dumper that is killed from releasing the tree. The keeper runs with real-time
 * priority, if permitted, so that other processes cannot prolong that time by preempting it.
 */
#include "kinds/fd/inet/keeper.h"
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/bits.h"
#include "base/cleanup.h"
#include "kinds/fd/inet/tcp_repair.h"
#include "netfilter/nft_lock.h"
#include "run/guard.h"
#include "run/helper_process.h"
#include "util/fds.h"
#include "util/log.h"

#define AREA_MIN (16u << 20)
#define TREE_WAIT_MS 300

enum phase { NOTHING_TO_UNDO, TREE_ENDS };

struct common {
	_Atomic uint32_t phase;
	uint32_t first, nr; /* jobs of this round */
	_Atomic uint32_t at; /* the current job */
	struct keeper_job jobs[];
};

struct keeper {
	struct common *common;
	struct guard *guard;
	char *area; /* shared, too */
	size_t common_size, area_size, nr_jobs;
	int sock; /* our end; -1: released */
	struct helper_process process;
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

static size_t count_dead(const struct keeper_undo *undo, int ms)
{
	struct pollfd *p = calloc(undo->nr_pidfds + 1, sizeof(*p));
	size_t n = 0;

	for (size_t i = 0; p && i < undo->nr_pidfds; i++)
		p[i] = (struct pollfd){ undo->pidfds[i], POLLIN, 0 };
	if (p)
		poll(p, undo->nr_pidfds, ms);
	for (size_t i = 0; p && i < undo->nr_pidfds; i++)
		n += p[i].revents != 0;
	free(p);
	return n;
}

/* Either every task of the tree has been killed, or none has. */
static void roll_back(const struct keeper *k, const struct keeper_undo *undo)
{
	size_t dead = count_dead(undo, TREE_WAIT_MS);

	if (!dead) {
		if (undo->netlink && undo->table[0])
			nft_lock_remove(undo->netlink, undo->table);
		return;
	}
	for (int i = 0; dead < undo->nr_pidfds && i < 20; i++) {
		poll(NULL, 0, TREE_WAIT_MS / 10);
		dead = count_dead(undo, 0);
	}
	for (size_t i = 0; dead == undo->nr_pidfds && i < k->nr_jobs; i++)
		if (k->common->jobs[i].what == KEEPER_STREAM)
			tcp_repair(k->common->jobs[i].fd, TCP_REPAIR_ON);
}

static void serve(const struct keeper *k, int sock)
{
	struct common *c = k->common;
	char byte;

	while (recv(sock, &byte, 1, 0) == 1) {
		for (uint32_t i = c->first; i < c->first + c->nr && !dumper_died(sock) && guard_enter(k->guard); i++) {
			atomic_store(&c->at, i);
			c->jobs[i].err = keeper_job_run(&c->jobs[i]);
			guard_leave(k->guard);
		}
		/* Without a reply the dumper would wait for ever; it notices if we exit. */
		if (send(sock, &byte, 1, MSG_NOSIGNAL) != 1)
			break;
	}
}

struct keeper_run {
	const struct keeper *keeper;
	const struct keeper_undo *undo;
	int sock;
};

static int run_keeper(void *arg)
{
	const struct keeper_run *run = arg;
	struct sched_param param = { .sched_priority = 1 };

	sched_setscheduler(0, SCHED_FIFO, &param);
	log_to_fd(-1);
	serve(run->keeper, run->sock);
	if (atomic_load(&run->keeper->common->phase) == TREE_ENDS)
		roll_back(run->keeper, run->undo);
	return 0;
}

/* ---- in the dumper ---- */

int keeper_new(size_t nr_jobs, struct keeper **ret, struct keeper_job **ret_jobs)
{
	struct keeper *k = calloc(1, sizeof(*k));

	if (!k)
		return -ENOMEM;
	k->sock = -1;
	k->process = HELPER_NONE;
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

/* Populated in advance: no page faults while a socket is in repair mode. */
static int make_area(struct keeper *k)
{
	size_t sum = 0, largest = 0;

	for (size_t i = 0; i < k->nr_jobs; i++) {
		sum += job_size(&k->common->jobs[i]);
		largest = MAX_OF(largest, job_size(&k->common->jobs[i]));
	}
	k->area_size = MIN_OF(sum, MAX_OF(largest, AREA_MIN));
	if (k->area_size)
		k->area = share(k->area_size, MAP_POPULATE);
	return k->area_size && !k->area ? -ENOMEM : 0;
}

/*
 * Only the descriptors that the keeper needs: a pipe whose reader is the dumper must break when the dumper is killed,
 * and a copy of the dumper's end of our pair would keep the pair open.
 */
static int *list_descriptors(const struct keeper *k, const struct keeper_undo *undo, int sock, size_t *ret_nr)
{
	int *fds = calloc(k->nr_jobs + undo->nr_pidfds + 2, sizeof(*fds));
	size_t n = 0;

	if (!fds)
		return NULL;
	fds[n++] = sock;
	if (undo->netlink)
		fds[n++] = netlink_fd(undo->netlink);
	for (size_t i = 0; i < undo->nr_pidfds; i++)
		fds[n++] = undo->pidfds[i];
	for (size_t i = 0; i < k->nr_jobs; i++)
		fds[n++] = k->common->jobs[i].fd;
	*ret_nr = n;
	return fds;
}

static int start_process(struct keeper *k, const struct keeper_undo *undo, int sock)
{
	struct keeper_run run = { k, undo, sock };
	struct helper_job job = { .run = run_keeper, .arg = &run };
	int err;

	job.keeps = list_descriptors(k, undo, sock, &job.nr_keeps);
	if (!job.keeps)
		return -ENOMEM;
	err = helper_start(&k->process, &job);
	free(job.keeps);
	return err;
}

int keeper_start(struct keeper *k, const struct keeper_undo *undo, struct guard *guard)
{
	int pair[2], err = make_area(k);

	if (err || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return err ? err : -errno;
	k->guard = guard;
	err = start_process(k, undo, pair[1]);
	close(pair[1]);
	if (err)
		close(pair[0]);
	else
		k->sock = pair[0];
	return err;
}

/* The keeper was killed: the dump fails, but no connection does. */
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
	helper_wait(&k->process);
	munmap(k->common, k->common_size);
	if (k->area)
		munmap(k->area, k->area_size);
	free(k);
}
