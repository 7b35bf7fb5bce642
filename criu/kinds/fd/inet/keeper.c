// SPDX-License-Identifier: GPL-2.0-only
/*
 * The socket pair tells the keeper that the dumper is dead. While a socket is in an unusual state the guard of the dump
 * (run/guard.h) keeps a dumper that is killed from letting the tree go. The keeper runs with real-time priority, where it
 * may, so that nobody stretches that by taking its CPU away.
 */
#include "kinds/fd/inet/keeper.h"
#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
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

#define SO_PEEK_OFF_ 42
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

/* ---- in the keeper: reading ---- */

static int number(int fd, int level, int name, void *ret)
{
	socklen_t len = sizeof(uint32_t);

	return getsockopt(fd, level, name, ret, &len) < 0 ? -errno : 0;
}

static void set_offset(int fd, int offset)
{
	setsockopt(fd, SOL_SOCKET, SO_PEEK_OFF_, &offset, sizeof(offset));
}

/* -1: none, as a rule. */
static int get_offset(int fd)
{
	int offset = -1;

	return number(fd, SOL_SOCKET, SO_PEEK_OFF_, &offset) < 0 ? -1 : offset;
}

/* Written down first: should the keeper be killed, the dumper puts it back. */
static void move_offset(struct keeper_job *job, int was, int to)
{
	job->offset = was;
	job->offset_moved = true;
	set_offset(job->fd, to);
}

static void put_offset_back(struct keeper_job *job)
{
	set_offset(job->fd, job->offset);
	job->offset_moved = false;
}

/* From its beginning, wherever the program peeks. */
static int peek(struct keeper_job *job, char *to, uint32_t len)
{
	int offset = len ? get_offset(job->fd) : -1;
	ssize_t done;

	if (!len)
		return 0;
	if (offset >= 0)
		move_offset(job, offset, -1);
	done = recv(job->fd, to, len, MSG_PEEK | MSG_DONTWAIT);
	if (offset >= 0)
		put_offset_back(job);
	return done == (ssize_t)len ? 0 : -ENODATA;
}

/* A look behind the last byte would take it away. */
static bool has_error(const struct keeper_job *job)
{
	struct pollfd p = { .fd = job->fd };

	return poll(&p, 1, 0) > 0 && (p.revents & POLLERR);
}

static ssize_t peek_at(struct keeper_job *job, uint32_t at)
{
	ssize_t done;

	set_offset(job->fd, (int)at);
	done = recv(job->fd, job->in + at, job->in_len - at, MSG_PEEK | MSG_DONTWAIT);
	return done < 0 && errno == EAGAIN ? 0 : done < 0 ? -errno : done;
}

/*
 * A read that meets the urgent byte stops in front of it. The next one goes on with it (SO_OOBINLINE) or behind it: then
 * it is there for MSG_OOB only, and counts as one byte all the same. tcp(7), net/ipv4/tcp.c
 */
static int peek_around_mark(struct keeper_job *job)
{
	int inlined = 0, at_mark = 0;
	ssize_t before = 0, behind = 0;

	if (number(job->fd, SOL_SOCKET, SO_OOBINLINE, &inlined) < 0 || ioctl(job->fd, SIOCATMARK, &at_mark) < 0)
		return -errno;
	if (!at_mark)
		before = peek_at(job, 0);
	if (before < 0 || before == job->in_len)
		return before < 0 ? (int)before : -ENOBUFS;
	job->mark = before;
	job->used = before + !inlined;
	behind = has_error(job) ? -EBUSY : peek_at(job, before);
	if (behind < 0)
		return (int)behind;
	if (!inlined) {
		/* They belong behind the byte that was passed over. */
		memmove(job->in + before + 1, job->in + before, behind);
		job->in[before] = 0;
		job->mark_read = recv(job->fd, job->in + before, 1, MSG_OOB | MSG_PEEK | MSG_DONTWAIT) != 1;
	}
	job->used += behind;
	return job->used < job->in_len ? 0 : -ENOBUFS;
}

static int peek_urgent(struct keeper_job *job)
{
	int err;

	move_offset(job, get_offset(job->fd), 0);
	err = peek_around_mark(job);
	put_offset_back(job);
	return err;
}

/* The urgent byte has been read, and lies ahead: nothing else tells than that there is more than was said. */
static int find_hidden_mark(struct keeper_job *job)
{
	ssize_t more;
	char byte;

	if (!job->in_len || has_error(job))
		return 0;
	move_offset(job, get_offset(job->fd), (int)job->in_len);
	more = recv(job->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
	put_offset_back(job);
	return more == 1 ? -EBUSY : 0;
}

static int peek_stream(struct keeper_job *job)
{
	int err;

	if (job->urgent)
		return peek_urgent(job);
	err = peek(job, job->in, job->in_len);
	return err ? err : find_hidden_mark(job);
}

static int read_repaired(struct keeper_job *job)
{
	socklen_t len = sizeof(job->window);
	int fd = job->fd, err = tcp_repair_queue(fd, TCP_RECV_QUEUE);

	if (!err)
		err = number(fd, SOL_TCP, TCP_QUEUE_SEQ, &job->in_seq);
	if (!err)
		err = tcp_repair_queue(fd, TCP_SEND_QUEUE);
	if (!err)
		err = number(fd, SOL_TCP, TCP_QUEUE_SEQ, &job->out_seq);
	if (!err)
		err = peek(job, job->out, job->out_len);
	if (!err)
		err = number(fd, SOL_TCP, TCP_MAXSEG, &job->mss);
	if (!err)
		err = number(fd, SOL_TCP, TCP_TIMESTAMP, &job->timestamp);
	/* Only those that have sent and received have a window. */
	job->has_window = !err && !getsockopt(fd, SOL_TCP, TCP_REPAIR_WINDOW, &job->window, &len);
	return err;
}

static int leave_repair(const struct keeper_job *job)
{
	int err = tcp_repair(job->fd, TCP_REPAIR_OFF_NO_WP);

	if (!err && job->reuse && setsockopt(job->fd, SOL_SOCKET, SO_REUSEADDR, &job->reuse, sizeof(job->reuse)) < 0)
		err = -errno;
	return err;
}

static int read_stream(struct keeper_job *job)
{
	int err = peek_stream(job), left;

	if (!err)
		err = tcp_repair(job->fd, TCP_REPAIR_ON);
	if (err)
		return err;
	err = read_repaired(job);
	left = leave_repair(job);
	return err ? err : left;
}

static ssize_t read_datagram(int fd, char *to, size_t room)
{
	struct keeper_datagram head = { 0 };
	struct iovec iov = { to + sizeof(head), room - sizeof(head) };
	struct msghdr msg = {
		.msg_name = head.from, .msg_namelen = sizeof(head.from), .msg_iov = &iov, .msg_iovlen = 1
	};
	ssize_t len = room > sizeof(head) ? recvmsg(fd, &msg, MSG_PEEK | MSG_DONTWAIT) : -1;

	if (room <= sizeof(head) || (len >= 0 && (msg.msg_flags & MSG_TRUNC)))
		return -ENOBUFS;
	if (len < 0)
		return errno == EAGAIN ? 0 : -errno;
	head.len = len;
	head.from_len = MIN_OF(msg.msg_namelen, sizeof(head.from));
	memcpy(to, &head, sizeof(head));
	return sizeof(head) + len;
}

/* With a peek offset each peek sees the next one. udp(7), net/core/datagram.c */
static int read_datagrams(struct keeper_job *job)
{
	ssize_t len;

	move_offset(job, get_offset(job->fd), 0);
	do {
		len = read_datagram(job->fd, job->in + job->used, job->in_len - job->used);
		job->used += MAX_OF(len, 0);
	} while (len > 0);
	put_offset_back(job);
	/* What has come since its size was asked for does not fit. */
	return len == -ENOBUFS ? 0 : len;
}

static int work(struct keeper_job *job)
{
	switch (job->what) {
	case KEEPER_STREAM:
		return read_stream(job);
	case KEEPER_BYTES:
		return peek(job, job->in, job->in_len);
	default:
		return read_datagrams(job);
	}
}

static bool dumper_died(int sock)
{
	char byte;

	return !recv(sock, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
}

/* ---- in the keeper: taking back ---- */

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
		if (care->netlink >= 0 && care->table[0])
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
			c->jobs[i].err = work(&c->jobs[i]);
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
	if (care->netlink >= 0)
		keep[n++] = care->netlink;
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

	if (job->what == KEEPER_STREAM)
		leave_repair(job);
	if (job->offset_moved)
		put_offset_back(job);
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
