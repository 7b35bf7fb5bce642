// SPDX-License-Identifier: GPL-2.0-only
/*
 * stuck DIR: a process whose execve does not complete, as one of its threads is held by a debugger that does not reap
 * it. DIR/pid then contains its pid. On SIGUSR1 the debugger reaps the thread, and the executed program counts in
 * DIR/beat.
 */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

static struct {
	volatile pid_t sleeper;
	volatile int go;
} * shared;

static const char *dir;

static void put(const char *name, long n)
{
	char path[4096], to[4096];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s.new", dir, name);
	snprintf(to, sizeof(to), "%s/%s", dir, name);
	f = fopen(path, "we");
	if (!f || fprintf(f, "%ld\n", n) < 0 || fclose(f) || rename(path, to))
		_exit(9);
}

static void *sleep_on(void *arg)
{
	shared->sleeper = gettid();
	for (;;)
		pause();
	return NULL;
}

static void *execute(void *arg)
{
	while (!shared->go)
		usleep(1000);
	execl("/proc/self/exe", "stuck", dir, "beat", (char *)NULL);
	_exit(1);
}

static void process(void)
{
	pthread_t id;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setsid();
	pthread_create(&id, NULL, sleep_on, NULL);
	pthread_create(&id, NULL, execute, NULL);
	for (;;)
		pause();
}

int main(int argc, char **argv)
{
	sigset_t usr1;
	pid_t pid;
	int sig;

	if (argc < 2)
		return 2;
	dir = argv[1];
	for (long n = 0; argc > 2; n++) {
		put("beat", n);
		usleep(10000);
	}
	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	sigprocmask(SIG_BLOCK, &usr1, NULL);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid = fork();
	if (!pid)
		process();
	while (!shared->sleeper)
		usleep(1000);
	if (ptrace(PTRACE_SEIZE, shared->sleeper, NULL, NULL))
		return 3;
	shared->go = 1;
	/* WNOWAIT: its exit can be collected later. */
	if (waitid(P_PID, shared->sleeper, &(siginfo_t){ 0 }, WEXITED | WNOWAIT | __WALL))
		return 4;
	put("pid", pid);
	sigwait(&usr1, &sig);
	waitpid(shared->sleeper, NULL, __WALL);
	waitpid(pid, NULL, 0);
	return 0;
}
