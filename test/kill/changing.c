// SPDX-License-Identifier: GPL-2.0-only
/*
 * A tree that never stops changing: changing MODE DIR. fork: children that fork children and exit, without waiting for
 * anything; threads: threads are created and exit; exec: processes with several threads, in which a thread other than
 * the main one execs the program, again and again. Each checks the results of its children and threads; DIR/beat
 * (exec: beat0, beat1, ...) counts, DIR/wrong reports a failed check. SIGTERM ends all of it: status 0 if all was well.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define WIDTH 4
#define DEPTH 3
#define THREADS 12
#define EXECS 3

static const char *dir, *self;
static volatile sig_atomic_t ending;

static void put(const char *name, const char *what, long n)
{
	char path[4096], to[4096], text[256];
	int fd, len = snprintf(text, sizeof(text), "%s %ld\n", what, n);

	snprintf(path, sizeof(path), "%s/%s.%d", dir, name, getpid());
	snprintf(to, sizeof(to), "%s/%s", dir, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0 || write(fd, text, (size_t)len) != len || close(fd) || rename(path, to))
		_exit(9);
}

static void must(int good, const char *what, long value)
{
	if (good)
		return;
	put("wrong", what, value);
	_exit(1);
}

/* ---- fork ---- */

/* The number of tasks below plus the task itself, by exit status. */
static int branch(int depth, int nr)
{
	int sum = nr;

	for (int i = 0; depth && i < WIDTH; i++) {
		pid_t pid = fork();

		if (!pid)
			_exit(branch(depth - 1, i));
		must(pid > 0, "fork", errno);
		/* Some are waited for at once, others are zombies for a while. */
		if (i % 2)
			continue;
		for (int status; i && waitpid(-1, &status, WNOHANG) > 0;)
			sum += WEXITSTATUS(status);
	}
	for (int status; waitpid(-1, &status, 0) > 0 || errno == EINTR;) {
		must(WIFEXITED(status), "a child's status is", status);
		sum += WEXITSTATUS(status);
	}
	return sum;
}

static int expected(int depth, int nr)
{
	int sum = nr;

	for (int i = 0; depth && i < WIDTH; i++)
		sum += expected(depth - 1, i);
	return sum;
}

static void forks(void)
{
	for (long n = 0; !ending; n++) {
		int got = branch(DEPTH, 0);

		must(got == expected(DEPTH, 0), "the sum of all children is", got);
		put("beat", "fork", n);
	}
}

/* ---- threads ---- */

static void *thread(void *arg)
{
	volatile uint64_t sum = 0;

	for (uint64_t i = 0; i < 2000; i++)
		sum += i ^ (uintptr_t)arg;
	usleep((unsigned)((uintptr_t)arg % 5) * 100);
	return (void *)((uintptr_t)arg * 3);
}

static void threads(void)
{
	pthread_t ids[THREADS];

	for (long n = 0; !ending; n++) {
		int at = (int)(n % THREADS);
		void *got;

		if (n >= THREADS) {
			must(!pthread_join(ids[at], &got), "join", n);
			must((uintptr_t)got == (uintptr_t)(n - THREADS) * 3, "a thread gives", (long)(uintptr_t)got);
		}
		must(!pthread_create(&ids[at], NULL, thread, (void *)(uintptr_t)n), "pthread_create", n);
		if (n % 50 == 0)
			put("beat", "threads", n);
	}
}

/* ---- exec ---- */

static void *sleeper(void *arg)
{
	pause();
	return NULL;
}

struct turn {
	const char *beat;
	long n;
};

static void *executor(void *arg)
{
	const struct turn *turn = arg;
	char number[32];

	snprintf(number, sizeof(number), "%ld", turn->n + 1);
	execl("/proc/self/exe", self, "exec_again", dir, turn->beat, number, (char *)NULL);
	must(0, "exec", errno);
	return NULL;
}

static void exec_again(const char *beat, long n)
{
	static struct turn turn;
	pthread_t id;

	turn = (struct turn){ beat, n };
	if (n % 20 == 0)
		put(beat, "exec", n);
	pthread_create(&id, NULL, sleeper, NULL);
	pthread_create(&id, NULL, executor, &turn);
	for (;;)
		pause();
}

static void execs(void)
{
	pid_t pids[EXECS];
	char beat[32];
	int status;

	for (int i = 0; i < EXECS; i++) {
		pids[i] = fork();
		if (!pids[i]) {
			signal(SIGTERM, SIG_DFL);
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			snprintf(beat, sizeof(beat), "beat%d", i);
			exec_again(beat, 0);
		}
	}
	while (!ending) {
		pid_t got = waitpid(-1, &status, WNOHANG);

		must(!got, "a child exited with status", status);
		usleep(1000);
	}
	for (int i = 0; i < EXECS; i++)
		kill(pids[i], SIGKILL);
}

static void on_term(int sig)
{
	ending = 1;
}

int main(int argc, char **argv)
{
	if (argc < 3)
		return 2;
	self = argv[0];
	dir = argv[2];
	if (!strcmp(argv[1], "exec_again"))
		exec_again(argv[3], atol(argv[4]));
	signal(SIGTERM, on_term);
	if (!strcmp(argv[1], "fork"))
		forks();
	else if (!strcmp(argv[1], "threads"))
		threads();
	else
		execs();
	return 0;
}
