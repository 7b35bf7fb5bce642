// SPDX-License-Identifier: GPL-2.0-only
/*
 * --restore-sibling of a tree whose user namespace owns its pid namespace. Its root is forked by a process that has entered the
 * user namespace, and is to be a child of our parent: so by a sibling of ours, or by ourselves. A sibling would be a child that our
 * parent does not know of; and we cannot come back. So the tree is made by a child of ours that shares our memory and descriptors,
 * with all rights, while we wait; when it asks for the root, we enter the namespaces and fork it, and have nothing left to do but
 * to end with the result. We never run at the same time as the child: each waits for the other.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "restore/restore.h"
#include "run/interrupt.h"
#include "run/restore.h"
#include "util/fds.h"
#include "util/log.h"
#include "util/proc_root.h"

#define STACK_SIZE (8ul << 20)
#define STACK_GUARD (64ul << 10)
#define SIGNAL_CHECK_MS 200

struct sibling {
	struct restore *r;
	int (*make)(struct restore *r), (*fork_root)(struct restore *r);
	pid_t tool; /* whose child @make runs in */
	int result; /* of @make */
	bool called;
	int ours, its; /* two ends of a socket: it asks by a byte, the answer is an int */
	int *fds; /* that we had before */
	size_t nr_fds;
};

bool restore_needs_sibling(const struct restore *r)
{
	return r->opts->restore_sibling && restore_root_is_made_inside(r);
}

/* ---- in the child */

int sibling_fork_root(struct sibling *s)
{
	char ask = 0;
	int err;

	if (write_full(s->its, &ask, 1) || read_full(s->its, &err, sizeof(err)) != sizeof(err))
		return fail(-EIO, "ask the tool for the root");
	return err;
}

static int make_in_child(void *arg)
{
	struct sibling *s = arg;

	/* Nobody would have the result. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0) {
		s->result = -errno;
		return 1;
	}
	/* It was killed before. */
	if (getppid() != s->tool)
		return 1;
	s->called = true;
	s->result = s->make(s->r);
	return 0;
}

/* ---- in the tool */

static DIR *open_fds(void)
{
	int fd = open_at(proc_root(), "self/fd", O_RDONLY | O_DIRECTORY, 0);

	return fd < 0 ? NULL : fdopendir(fd);
}

static int list_fds(struct sibling *s)
{
	_cleanup_closedir_ DIR *dir = open_fds();
	struct dirent *entry;

	if (!dir)
		return -ENOMEM;
	while ((entry = readdir(dir))) {
		int *more;

		if (entry->d_name[0] == '.')
			continue;
		more = realloc(s->fds, (s->nr_fds + 1) * sizeof(*more));
		if (!more)
			return -ENOMEM;
		s->fds = more;
		s->fds[s->nr_fds++] = atoi(entry->d_name);
	}
	return 0;
}

static bool had(const struct sibling *s, int fd)
{
	for (size_t i = 0; i < s->nr_fds; i++)
		if (s->fds[i] == fd)
			return true;
	return false;
}

/* Copies of what the child has opened meanwhile: it may wait for the end of a pipe. */
static void close_its_fds(const struct sibling *s)
{
	_cleanup_closedir_ DIR *dir = open_fds();
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		int fd = atoi(entry->d_name);

		if (entry->d_name[0] != '.' && fd != dirfd(dir) && fd != s->ours && !had(s, fd))
			close(fd);
	}
}

/* What it changes in memory is meant for the root, which has a copy of it, and not for the child. */
static int fork_for_child(struct sibling *s)
{
	struct restore *r = s->r;
	const struct restore_process process = r->process;
	const struct fresh_child fresh_child = r->plan.fresh_child;
	int err = unshare(CLONE_FILES) < 0 ? fail(-errno, "leave the table of descriptors") : 0;

	if (!err)
		err = s->fork_root(r);
	r->process = process;
	r->plan.fresh_child = fresh_child;
	close_its_fds(s);
	return err;
}

static void answer(struct sibling *s)
{
	char ask;
	int err = read_full(s->ours, &ask, 1) == 1 ? fork_for_child(s) : -EIO;

	write_full(s->ours, &err, sizeof(err));
}

/* A user who stops us means both. */
static void pass_on_signals(pid_t child, sigset_t *passed)
{
	sigset_t ours, pending;

	interrupt_signals(&ours);
	sigpending(&pending);
	for (int sig = 1; sig < NSIG; sig++)
		if (sigismember(&ours, sig) == 1 && sigismember(&pending, sig) == 1 && !sigismember(passed, sig)) {
			sigaddset(passed, sig);
			kill(child, sig);
		}
}

static int serve(struct sibling *s, pid_t child, int pidfd)
{
	sigset_t passed;

	sigemptyset(&passed);
	for (;;) {
		struct pollfd fds[2] = { { .fd = s->ours, .events = POLLIN }, { .fd = pidfd, .events = POLLIN } };
		int status;

		if (poll(fds, 2, SIGNAL_CHECK_MS) < 0 && errno != EINTR)
			return fail(-errno, "poll");
		if (fds[0].revents & POLLIN)
			answer(s);
		if (fds[1].revents) {
			while (waitpid(child, &status, __WALL) < 0)
				if (errno != EINTR)
					return fail(-errno, "wait for the process that makes the tree");
			return WIFEXITED(status) ? s->result :
						   fail(-ECHILD, "the process that makes the tree was killed");
		}
		pass_on_signals(child, &passed);
	}
}

static int run(struct sibling *s, char *stack)
{
	_cleanup_close_ int pidfd = -1;
	sigset_t all, was;
	int err, flags = CLONE_VM | CLONE_FILES | CLONE_PIDFD | SIGCHLD;
	pid_t child;

	/* No handler of ours may run on the memory that both have; tasks start with all signals blocked. */
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &was);
	child = clone(make_in_child, stack + STACK_SIZE, flags, s, &pidfd);
	err = child < 0 ? fail(-errno, "clone") : serve(s, child, pidfd);
	sigprocmask(SIG_SETMASK, &was, NULL);
	return err;
}

int restore_make_as_sibling(struct restore *r, int (*make)(struct restore *r), int (*fork_root)(struct restore *r))
{
	struct sibling s = { .r = r, .make = make, .fork_root = fork_root, .tool = getpid(), .result = -ECHILD };
	_cleanup_close_ int ours = -1, its = -1;
	int pair[2], err = list_fds(&s);
	char *stack;

	if (err)
		return fail(err, "list our descriptors");
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return fail(-errno, "socketpair");
	s.ours = ours = pair[0];
	s.its = its = pair[1];
	stack = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK,
		     -1, 0);
	if (stack == MAP_FAILED)
		return fail(-errno, "stack");
	r->tool.sibling = &s;
	err = mprotect(stack, STACK_GUARD, PROT_NONE) < 0 ? fail(-errno, "stack") : run(&s, stack);
	r->tool.sibling = NULL;
	munmap(stack, STACK_SIZE);
	free(s.fds);
	return err;
}
