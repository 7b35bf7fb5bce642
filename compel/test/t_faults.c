// SPDX-License-Identifier: GPL-2.0-only
/*
 * Each ptrace call of a session fails in turn. Whether the session fails or not, its target continues unaffected; a
 * system call that had completed before the stop is not repeated. Argument: how often each call fails.
 */
#include <fcntl.h>
#include <pthread.h>

#include "base/bits.h"
#include "help.h"

struct shared {
	volatile long turns, bad, bad_value, calls;
};

static struct shared *shared;

/* Data written to a pipe is read once and in order, unless one of the two calls is repeated. */
static void pipe_loop(void)
{
	int p[2];

	if (pipe2(p, O_NONBLOCK))
		_exit(1);
	for (long n = 1;; n++) {
		long got = 0, ret = syscall(SYS_write, p[1], &n, sizeof(n));

		if (ret == sizeof(n))
			ret = syscall(SYS_read, p[0], &got, sizeof(got));
		if (ret != sizeof(n) || got != n) {
			shared->bad_value = ret == sizeof(n) ? got - n : ret;
			shared->bad++;
		}
		shared->turns++;
	}
}

static void *pipe_thread(void *arg)
{
	pipe_loop();
	return NULL;
}

struct kind {
	const char *name;
	int (*session)(pid_t pid, int *ret_err);
	bool threads, blocked; /* blocked: every signal would have an effect, so every call of a blob stops */
};

static const struct kind kinds[] = {
	{ "one thread", session, false, false },
	{ "one thread, signals blocked", session, false, true },
	{ "threads", session_threads, true, false },
	{ "threads, signals blocked", session_threads, true, true },
};

static void victim_body(void *arg)
{
	const struct kind *k = arg;
	sigset_t set;
	pthread_t t;

	sigfillset(&set);
	if (k->blocked)
		sigprocmask(SIG_SETMASK, &set, NULL);
	if (k->threads)
		pthread_create(&t, NULL, pipe_thread, NULL);
	pipe_loop();
}

static bool is_unchanged(pid_t pid, const char *maps, unsigned long mask, const char **why)
{
	static char now_maps[65536];
	long turns = shared->turns;

	for (int i = 0; i < 200000; i++) {
		usleep(200);
		proc_text(pid, "maps", now_maps, sizeof(now_maps));
		*why = !now_maps[0]				  ? "it died" :
		       strcmp(now_maps, maps)			  ? "its maps differ" :
		       status_value(pid, "\nSigBlk:", 16) != mask ? "its mask differs" :
		       status_value(pid, "\nTracerPid:", 10)	  ? "it is traced" :
		       shared->bad				  ? "a call was repeated" :
		       shared->turns < turns + 10		  ? "it makes no progress" :
								    NULL;
		if (!*why)
			return true;
		if (!now_maps[0] || shared->bad)
			break;
	}
	return false;
}

/* Returns the tracer's status: 0 if the session succeeded despite the failed call, 1 if it failed. */
static int tracer(pid_t pid, const struct kind *k, int at, int error)
{
	pid_t child = fork();
	int status, err = 0;

	if (!child) {
		if (at && !freopen("/dev/null", "w", stderr))
			_exit(2);
		fail_error = error;
		fail_at = at;
		fail_count = 0;
		status = k->session(pid, &err);
		shared->calls = fail_count;
		if (status)
			fprintf(stderr, "session failed in line %d: %s\n", status, strerror(-err));
		_exit(status ? 1 : 0);
	}
	waitpid(child, &status, 0);
	return status;
}

static void run_kind(const struct kind *k, int times)
{
	static const int errors[] = { EIO, ESRCH, EPERM };
	static char maps[65536];
	int at = 0, failed = 0, nr = 0, status;
	const char *why = NULL;
	unsigned long mask;
	pid_t pid;
	long calls;

	*shared = (struct shared){ 0 };
	pid = victim(victim_body, (void *)k);
	for (int i = 0; i < 60000 && !shared->turns; i++)
		usleep(1000);
	usleep(30000);
	proc_text(pid, "maps", maps, sizeof(maps));
	mask = status_value(pid, "\nSigBlk:", 16);
	status = tracer(pid, k, 0, 0);
	calls = shared->calls;
	if (status)
		why = "a session without injected faults failed";
	for (at = 1; !why && at <= calls; at++)
		for (int i = 0; !why && i < times; i++) {
			status = tracer(pid, k, at, errors[(at + i) % ARRAY_SIZE(errors)]);
			nr++;
			failed += status != 0;
			if (WIFSIGNALED(status))
				why = "the tracer died";
			else
				is_unchanged(pid, maps, mask, &why);
		}
	report(k->name, !why, "call %d of %ld fails: %s, value %ld", at - 1, calls, why ? why : "", shared->bad_value);
	printf("# %ld calls, %d faults, %d sessions failed\n", calls, nr, failed);
	end_victim(pid);
}

int main(int argc, char **argv)
{
	int times = argc > 1 ? atoi(argv[1]) : 4;

	shared = shared_page();
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (argc < 3 || !strcmp(argv[2], kinds[i].name))
			run_kind(&kinds[i], times);
	return test_result();
}
