/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * reaper HOW CHILD COUNTFILE: a process that adopts orphans (HOW is subreaper, or init if it is pid 1), and its child,
 * both writing to their memory continuously. CHILD is what the child does besides: stay, threads (another thread waits
 * all the time), exec (itself, again and again) or end (it is created again then). Anything that they see of a process
 * that they have not created is written to COUNTFILE.strange: a result of a wait, a SIGCHLD. COUNTFILE has the number
 * of passes of the child.
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

#define PAGE 4096ul
#define SIZE (64ul << 20)
#define PASSES 3ul

static volatile sig_atomic_t signals;
static const char *count_file;

static void on_sigchld(int sig)
{
	signals++;
}

static void strange(const char *who, const char *what, long value)
{
	char name[4096], text[256];
	int fd, len = snprintf(text, sizeof(text), "%s: %s: %ld (errno %d)\n", who, what, value, errno);

	snprintf(name, sizeof(name), "%s.strange", count_file);
	fd = open(name, O_WRONLY | O_CREAT | O_APPEND, 0600);
	if (fd >= 0 && write(fd, text, len) == len)
		close(fd);
	_exit(3);
}

static void count(uint64_t n)
{
	char text[32];
	int len = snprintf(text, sizeof(text), "%020lu\n", n), fd = open(count_file, O_WRONLY | O_CREAT, 0600);

	if (fd >= 0 && pwrite(fd, text, len, 0) == len)
		close(fd);
}

static char *fresh(void)
{
	char *mem = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (mem == MAP_FAILED)
		_exit(4);
	return mem;
}

/* It has no child, whatever type of child is waited for. */
static void check_childless(void)
{
	int status;
	long pid = waitpid(-1, &status, WNOHANG);

	if (pid != -1 || errno != ECHILD)
		strange("child", "waitpid", pid);
	pid = waitpid(-1, &status, WNOHANG | __WALL);
	if (pid > 0)
		strange("child", "waitpid with __WALL", pid);
	if (signals)
		strange("child", "SIGCHLD", signals);
}

static void *watch(void *arg)
{
	while (!signals)
		check_childless();
	return NULL;
}

static void child(char **argv, uint64_t n)
{
	pthread_t watcher;
	const char *mode = argv[2];
	char number[32], *mem;

	signals = 0;
	mem = fresh();
	if (!strcmp(mode, "threads") && pthread_create(&watcher, NULL, watch, NULL))
		_exit(4);
	for (uint64_t first = n;; n++) {
		for (uint64_t i = 0; i < SIZE; i += PAGE) {
			(*(uint64_t *)(mem + i))++;
			if (!(i % (SIZE / 64)))
				check_childless();
		}
		count(n + 1);
		if (n - first < PASSES)
			continue;
		snprintf(number, sizeof(number), "%lu", n + 1);
		if (!strcmp(mode, "exec"))
			execl("/proc/self/exe", argv[0], argv[1], mode, argv[3], number, (char *)NULL);
		if (!strcmp(mode, "end"))
			_exit(0);
	}
}

/* The only child is @pid: true if it has exited. */
static int has_ended(pid_t pid, int options)
{
	int status = 0;
	long got = waitpid(-1, &status, WNOHANG | options);

	if (got != 0 && got != pid)
		strange("reaper", options ? "waitpid with __WALL" : "waitpid", got);
	if (got && status)
		strange("reaper", "the status of its child", status);
	return got == pid;
}

int main(int argc, char **argv)
{
	const struct sigaction act = { .sa_handler = on_sigchld, .sa_flags = SA_RESTART };
	uint64_t ended = 0;
	char *mem;

	if (argc < 4)
		return 2;
	count_file = argv[3];
	sigaction(SIGCHLD, &act, NULL);
	if (argc > 4)
		child(argv, strtoul(argv[4], NULL, 10));
	if (!strcmp(argv[1], "subreaper") ? prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) : getpid() != 1)
		return 2;
	/* Pid 1 is in its own session, as in containers. */
	setsid();
	mem = fresh();
	for (;; ended++) {
		pid_t pid = fork();

		if (!pid)
			child(argv, ended * (PASSES + 1));
		if (pid < 0)
			return 4;
		for (uint64_t i = 0; !has_ended(pid, i % (2 * PAGE) ? __WALL : 0); i = (i + PAGE) % SIZE)
			(*(uint64_t *)(mem + i))++;
		/* A process that adopts an orphan is notified of its exit. */
		if (strcmp(argv[2], "end"))
			strange("reaper", "its child has ended", 0);
		continue;
	}
}
