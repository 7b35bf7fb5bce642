/* SPDX-License-Identifier: GPL-2.0-only */
#include "run/guard.h"
#include <errno.h>
#include <linux/futex.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "run/dump.h"
#include "run/helper_process.h"
#include "util/fds.h"
#include "util/log.h"

#define SO_PEEK_OFF_ 42
/* Time limit between guard_enter() and guard_leave(); the process may have been killed, too. */
#define HELD_AT_MOST_MS 3000
#define START_AT_MOST_MS 5000
#define PARENT_CHECK_MS 10
#define END_AT_MOST_MS 10000

enum entry { ENTRY_FREE, ENTRY_HELD, ENTRY_CLOSED };

/* In shared memory. */
struct guard {
	_Atomic uint32_t started; /* 0: not yet, 1: it traces the dumper, otherwise -errno */
	_Atomic uint32_t may_start;
	_Atomic uint32_t entry;
	_Atomic int signal; /* for the tree; 0: none */
	_Atomic bool offset_moved;
	int offset_fd, offset_was;
	bool (*_Atomic asks)(int fd);
	int asks_fd, asks_sig;
	struct helper_process process; /* from here on only used by the dumper */
	sigset_t mask; /* old mask of the dumper */
};

static void futex_wait_ms(_Atomic uint32_t *word, uint32_t seen, long ms)
{
	struct timespec bound = { ms / 1000, ms % 1000 * 1000000 };

	syscall(SYS_futex, word, FUTEX_WAIT, seen, &bound, NULL, 0);
}

static void futex_set(_Atomic uint32_t *word, uint32_t value)
{
	atomic_store(word, value);
	syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0);
}

/* ---- in the guard ---- */

/* Continues the dumper after each stop as if it were not traced; true: it is about to exit, or has exited. */
static bool dumper_ends(pid_t dumper, int status)
{
	int event = status >> 16, sig = WSTOPSIG(status);

	if (!WIFSTOPPED(status) || event == PTRACE_EVENT_EXIT)
		return true;
	if (event == PTRACE_EVENT_STOP && sig != SIGTRAP)
		ptrace(PTRACE_LISTEN, dumper, NULL, NULL);
	else
		ptrace(PTRACE_CONT, dumper, NULL, (void *)(uintptr_t)(event ? 0 : sig));
	return false;
}

/* From here on guard_enter() fails; a process that has entered is waited for. */
static void close_entry(struct guard *g)
{
	uint32_t free_entry = ENTRY_FREE;

	for (int ms = 0; ms < HELD_AT_MOST_MS; ms++) {
		if (atomic_compare_exchange_strong(&g->entry, &free_entry, ENTRY_CLOSED))
			return;
		futex_wait_ms(&g->entry, ENTRY_HELD, 1);
		free_entry = ENTRY_FREE;
	}
	atomic_store(&g->entry, ENTRY_CLOSED);
}

static void signal_tree(struct dump *dump, int sig)
{
	struct dump_task *dt;

	dump_for_each_task(dt, dump)
		if (dt->pidfd >= 0 && dt->t.state != TASK_DEAD)
			syscall(SYS_pidfd_send_signal, dt->pidfd, sig, NULL, 0);
}

/* Returns the signal that the tree has got. */
static int restore_state(struct guard *g, struct dump *dump)
{
	bool (*asks)(int fd);
	int sig;

	close_entry(g);
	if (atomic_load(&g->offset_moved))
		setsockopt(g->offset_fd, SOL_SOCKET, SO_PEEK_OFF_, &g->offset_was, sizeof(g->offset_was));
	asks = atomic_load(&g->asks);
	sig = atomic_load(&g->signal);
	if (!sig && asks && asks(g->asks_fd))
		sig = g->asks_sig;
	if (sig)
		signal_tree(dump, sig);
	return sig;
}

/* Its tracees are released when the dumper has exited; until they have, too, we keep its streams open. */
static void await_end_of_tree(const struct dump *dump, pid_t dumper)
{
	const struct dump_task *dt;
	int status, ms = END_AT_MOST_MS;

	ptrace(PTRACE_CONT, dumper, NULL, NULL);
	while (waitpid(dumper, &status, __WALL) >= 0 && WIFSTOPPED(status))
		ptrace(PTRACE_CONT, dumper, NULL, NULL);
	dump_for_each_task(dt, dump) {
		struct pollfd ended = { .fd = dt->t.state != TASK_DEAD ? dt->pidfd : -1, .events = POLLIN };

		for (; ended.fd >= 0 && ms > 0 && !poll(&ended, 1, 1); ms--)
			;
	}
}

struct guard_job {
	struct guard *guard;
	struct dump *dump;
	pid_t dumper;
};

static int run_guard(void *arg)
{
	const struct guard_job *job = arg;
	struct guard *g = job->guard;
	pid_t dumper = job->dumper;
	int status = 0;

	/* We share the descriptors of the dumper: if it has been killed, what ends when they are closed waits for us. */
	while (!atomic_load(&g->may_start)) {
		if (getppid() != dumper)
			return 1;
		futex_wait_ms(&g->may_start, 0, PARENT_CHECK_MS);
	}
	if (ptrace(PTRACE_SEIZE, dumper, NULL, (void *)PTRACE_O_TRACEEXIT)) {
		futex_set(&g->started, (uint32_t)-errno);
		return 1;
	}
	futex_set(&g->started, 1);
	do {
		while (waitpid(dumper, &status, __WALL) < 0)
			if (errno != EINTR)
				return 1;
	} while (!dumper_ends(dumper, status));
	if (restore_state(g, job->dump) == SIGKILL)
		await_end_of_tree(job->dump, dumper);
	/* Without its tracer, the dumper exits. */
	return 0;
}

/* ---- in the dumper ---- */

static void stop_guard(struct guard *g)
{
	helper_kill(&g->process);
	sigprocmask(SIG_SETMASK, &g->mask, NULL);
}

/* It shares our descriptor table, and has a copy of our memory as of now. */
static int start_guard(struct guard *g, struct dump *dump)
{
	struct guard_job own = { g, dump, getpid() };
	const struct helper_job job = { .run = run_guard, .arg = &own, .shares_fds = true };
	sigset_t all;
	int err;

	/* Block everything that can be blocked, since signals would go through the tracer. */
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &g->mask);
	err = helper_start(&g->process, &job);
	if (err) {
		sigprocmask(SIG_SETMASK, &g->mask, NULL);
		return err;
	}
	/* Yama: a child may only trace its parent with permission. */
	prctl(PR_SET_PTRACER, g->process.pid);
	futex_set(&g->may_start, 1);
	for (int ms = 0; ms < START_AT_MOST_MS && !atomic_load(&g->started) && !helper_has_ended(&g->process); ms += 50)
		futex_wait_ms(&g->started, 0, 50);
	prctl(PR_SET_PTRACER, 0);
	err = atomic_load(&g->started) == 1 ? 0 : atomic_load(&g->started) ? (int)atomic_load(&g->started) : -ETIMEDOUT;
	if (err)
		stop_guard(g);
	return err;
}

int guard_begin(struct dump *dump)
{
	struct guard *g = dump->guard;
	int err;

	if (g)
		return 0;
	g = mmap(NULL, sizeof(*g), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (g == MAP_FAILED)
		return fail(-errno, "memory for the guard process");
	g->process = HELPER_NONE;
	err = start_guard(g, dump);
	if (err == -EAGAIN || err == -ENOMEM) {
		munmap(g, sizeof(*g));
		return fail(err, "start the guard process");
	}
	if (err)
		log_warn("the dumper cannot be traced (errno %d; already traced by a debugger?): if it is killed now, "
			 "its temporary changes remain",
			 -err);
	dump->guard = g;
	return 0;
}

void guard_end(struct dump *dump)
{
	struct guard *g = dump->guard;

	if (!g)
		return;
	if (g->process.pid)
		stop_guard(g);
	munmap(g, sizeof(*g));
	dump->guard = NULL;
}

void guard_peek_offset(struct guard *guard, int fd, int was)
{
	guard->offset_fd = fd;
	guard->offset_was = was;
	atomic_store(&guard->offset_moved, true);
}

void guard_peek_offset_is_back(struct guard *guard)
{
	atomic_store(&guard->offset_moved, false);
}

void guard_asks(struct guard *guard, bool (*asks)(int fd), int fd, int sig)
{
	if (asks) {
		guard->asks_fd = fd;
		guard->asks_sig = sig;
	}
	atomic_store(&guard->asks, asks);
}

void guard_tree_gets(struct guard *guard, int sig)
{
	atomic_store(&guard->signal, sig);
}

/* ---- in a process beside the dumper ---- */

bool guard_enter(struct guard *guard)
{
	uint32_t free_entry = ENTRY_FREE;

	return !guard || atomic_compare_exchange_strong(&guard->entry, &free_entry, ENTRY_HELD);
}

void guard_leave(struct guard *guard)
{
	if (guard)
		futex_set(&guard->entry, ENTRY_FREE);
}
