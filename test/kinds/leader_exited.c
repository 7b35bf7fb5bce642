// SPDX-License-Identifier: GPL-2.0-only
/*
 * Processes whose main thread has exited while others continue: the root (pthread_exit), a child with an exit status
 * from its main thread (exit(2)), and one that is stopped. Memory, descriptors, signals, names and children are
 * unchanged.
 * test: breaks=4 decode=yes skip='uname -r | grep -qvE "^([1-5]|6\.[0-8])\."'
 */
#include "checkpoint.h"
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define STATUS 5
#define NUMBERS 100000

static __thread int own = 7;
static volatile sig_atomic_t got;
static volatile pid_t got_by;
static int *numbers, hold[2];
static pid_t children[3];
static pthread_barrier_t barrier;

static void on_usr1(int sig)
{
	got++;
	got_by = gettid();
}

static char leader_state(void)
{
	char path[64], text[512] = "", *state;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", getpid());
	f = fopen(path, "r");
	need(f && fgets(text, sizeof(text), f), "%s", path);
	fclose(f);
	state = strrchr(text, ')');
	return state ? state[2] : '?';
}

static void leader_name(char *name, size_t size)
{
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/task/%d/comm", getpid());
	f = fopen(path, "r");
	need(f && fgets(name, size, f), "%s", path);
	fclose(f);
}

static void await_leader(void)
{
	while (leader_state() != 'Z')
		usleep(1000);
}

/*
 * This one exits last; older kernels report the status of the main thread to the parent, newer ones that of the last
 * thread.
 */
static void *last_thread(void *name)
{
	await_leader();
	checkpoint_task(name, 0);
	await_leader();
	if (test_break() == 1)
		_exit(1);
	syscall(SYS_exit, STATUS);
	return NULL;
}

static int ends_early(void *arg)
{
	pthread_t t;

	need(!pthread_create(&t, NULL, last_thread, arg), "pthread_create");
	syscall(SYS_exit, STATUS);
	return 0;
}

static void *stopped_thread(void *arg)
{
	char c;

	await_leader();
	task_ready(arg);
	/* Stopped inside the group, and continued by the root. */
	need(read(hold[0], &c, 1) == 1, "read");
	await_leader();
	_exit(0);
}

static int is_stopped(void *arg)
{
	pthread_t t;

	need(!pthread_create(&t, NULL, stopped_thread, arg), "pthread_create");
	pthread_exit(NULL);
}

static void *other_thread(void *arg)
{
	pid_t tid = gettid();

	own = 8;
	pthread_barrier_wait(&barrier);
	wait_go(0);
	check(gettid() == tid && own == 8, "other thread: %d was %d, its variable is %d", gettid(), tid, own);
	return NULL;
}

static void verify_children(void)
{
	int status = -1;

	join_task(children[0]);
	need(waitpid(children[1], &status, 0) == children[1], "wait for %d", children[1]);
	check(WIFEXITED(status) && WEXITSTATUS(status) == STATUS, "status of %d is %#x", children[1], status);
	check(state_of(children[2]) == 'Z' || state_of(children[2]) == 'T', "state of %d is %c", children[2],
	      state_of(children[2]));
	check(waitpid(children[2], &status, WUNTRACED | WNOHANG) == 0, "the stop is reported again: %#x", status);
	kill(children[2], SIGCONT);
	need(write(hold[1], "x", 1) == 1, "write");
	join_task(children[2]);
}

static void *root_thread(void *arg)
{
	pthread_t other;
	pid_t tid = gettid();
	char before[32] = "", after[32] = "";
	int *first = numbers;

	need(!pthread_barrier_init(&barrier, NULL, 2), "barrier");
	need(!pthread_create(&other, NULL, other_thread, NULL), "pthread_create");
	pthread_barrier_wait(&barrier);
	await_leader();
	prctl(PR_SET_NAME, "root thread");
	leader_name(before, sizeof(before));
	checkpoint_here();
	if (test_break() == 2)
		numbers[NUMBERS / 2] = 0;
	if (test_break() == 3)
		kill(children[2], SIGCONT), write(hold[1], "x", 1);
	if (test_break() == 4)
		raise(SIGUSR1);
	check(gettid() == tid && own == 7 && numbers == first, "thread %d was %d, its variable is %d", gettid(), tid,
	      own);
	/* It may be about to exit, if the tool was killed while releasing the tree. */
	await_leader();
	leader_name(after, sizeof(after));
	check(!strcmp(before, after), "the main thread's name is %s, was %s", after, before);
	for (int i = 0; i < NUMBERS; i++)
		check(numbers[i] == i, "number %d is %d", i, numbers[i]);
	pthread_join(other, NULL);
	kill(getpid(), SIGUSR1);
	while (!got)
		usleep(1000);
	check(got == 1 && got_by == tid, "%d signals, the last one by %d", (int)got, got_by);
	verify_children();
	test_done();
	return NULL;
}

static int ordinary(void *arg)
{
	checkpoint_task(arg, 0);
	return 0;
}

int main(int argc, char **argv)
{
	pthread_t t;
	int status;

	test_init(argc, argv);
	prctl(PR_SET_NAME, "first thread");
	signal(SIGUSR1, on_usr1);
	need(!pipe(hold), "pipe");
	numbers = malloc(NUMBERS * sizeof(*numbers));
	for (int i = 0; i < NUMBERS; i++)
		numbers[i] = i;
	children[0] = fork_task(ordinary, "ordinary");
	children[1] = fork_task(ends_early, "early");
	children[2] = fork_task(is_stopped, "stopped");
	await_task("ordinary");
	await_task("early");
	await_task("stopped");
	kill(children[2], SIGSTOP);
	need(waitpid(children[2], &status, WUNTRACED) == children[2] && WIFSTOPPED(status), "stop");
	need(!pthread_create(&t, NULL, root_thread, NULL), "pthread_create");
	pthread_exit(NULL);
}
