// SPDX-License-Identifier: GPL-2.0-only
/*
 * The root of the tree, and another thread of it, request a signal on their parent's exit (PR_SET_PDEATHSIG): the tool
 * is a parent that exits, which must not send the signal. A child gets its signal when the root exits, and not before.
 * test: breaks=2
 */
#include "checkpoint.h"
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/wait.h>

static volatile sig_atomic_t got;

static void on_signal(int sig)
{
	got++;
}

static int pdeath_signal(void)
{
	int sig = -1;

	prctl(PR_GET_PDEATHSIG, &sig);
	return sig;
}

static void *thread(void *arg)
{
	prctl(PR_SET_PDEATHSIG, SIGUSR2);
	checkpoint_task("thread", 0);
	check(pdeath_signal() == SIGUSR2, "signal of the thread is %d", pdeath_signal());
	return NULL;
}

/* Its own child requests a signal on its exit: that child reports through @arg. */
static int parent(void *arg)
{
	int *fds = arg;
	pid_t child = fork();
	char c;

	if (!child) {
		sigset_t usr1;

		sigemptyset(&usr1);
		sigaddset(&usr1, SIGUSR1);
		sigprocmask(SIG_BLOCK, &usr1, NULL);
		prctl(PR_SET_PDEATHSIG, SIGUSR1);
		close(fds[3]);
		task_ready("grandchild");
		_exit(sigwaitinfo(&usr1, NULL) != SIGUSR1 || write(fds[1], "x", 1) != 1);
	}
	await_task("grandchild");
	checkpoint_task("parent", 0);
	check(state_of(child) == 'S', "the grandchild is in state %c", state_of(child));
	close(fds[3]);
	check(!read(fds[2], &c, 1), "reply from the root");
	return 0;
}

int main(int argc, char **argv)
{
	pthread_t t;
	pid_t child;
	int fds[4]; /* from the grandchild to the root; from the root to the parent */
	char c;

	test_init(argc, argv);
	need(!pipe(fds) && !pipe(fds + 2), "pipe");
	signal(SIGUSR1, on_signal);
	signal(SIGUSR2, on_signal);
	child = fork_task(parent, fds);
	need(!pthread_create(&t, NULL, thread, NULL), "pthread_create");
	await_task("parent");
	await_task("thread");
	prctl(PR_SET_PDEATHSIG, SIGUSR1);
	checkpoint_here();
	if (test_break() == 1)
		raise(SIGUSR1);
	if (test_break() == 2)
		prctl(PR_SET_PDEATHSIG, 0);
	pthread_join(t, NULL);
	check(pdeath_signal() == SIGUSR1, "signal of the root is %d", pdeath_signal());
	check(!got, "%d signals received", (int)got);
	fcntl(fds[0], F_SETFL, O_NONBLOCK);
	check(read(fds[0], &c, 1) < 0 && errno == EAGAIN, "the grandchild got its signal early");
	fcntl(fds[0], F_SETFL, 0);
	close(fds[1]);
	close(fds[3]);
	join_task(child);
	check(read(fds[0], &c, 1) == 1, "the grandchild got no signal");
	test_done();
}
