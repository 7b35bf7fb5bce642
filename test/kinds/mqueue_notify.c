// SPDX-License-Identifier: GPL-2.0-only
/*
 * Requests for notification (mq_notify): by a signal with a value; by nothing at all (SIGEV_NONE), which nobody else can request
 * then; of a child that inherited the descriptor; of a child that shares the table of descriptors; one that has been used up.
 * test: breaks=4 decode=yes ignore=fd/[0-9]+/ino
 */
#include "checkpoint.h"
#include <mqueue.h>
#include <sched.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define VALUE 0x1234567887654321

static mqd_t mine, none, of_child, of_peer, used;
static volatile int *asked; /* in shared memory */

static mqd_t make(const char *name)
{
	struct mq_attr attr = { .mq_maxmsg = 3, .mq_msgsize = 10 };
	mqd_t q = mq_open(name, O_CREAT | O_RDWR | O_NONBLOCK, 0600, &attr);

	if (q < 0 && errno == ENOSYS)
		test_skip("this kernel has no message queues");
	need(q >= 0 && !mq_unlink(name), "queue %s", name);
	return q;
}

static void ask(mqd_t q, int how, int signal, void *value)
{
	struct sigevent event = { .sigev_notify = how, .sigev_signo = signal, .sigev_value.sival_ptr = value };

	need(!mq_notify(q, &event), "mq_notify");
}

static void expect_signal(int signal, const void *value)
{
	siginfo_t info = { 0 };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, signal);
	check(sigtimedwait(&set, &info, &(struct timespec){ 10, 0 }) == signal && info.si_code == SI_MESGQ &&
		      info.si_value.sival_ptr == value,
	      "signal %d: value %p", signal, info.si_value.sival_ptr);
}

static int child(void *arg)
{
	mqd_t q = *(mqd_t *)arg;

	ask(q, SIGEV_SIGNAL, SIGRTMIN + 3, arg);
	checkpoint_task(arg == &of_child ? "child" : "peer", 0);
	if (test_break() == (arg == &of_child ? 2 : 3))
		mq_notify(q, NULL);
	*asked += 1;
	expect_signal(SIGRTMIN + 3, arg);
	return 0;
}

int main(int argc, char **argv)
{
	const struct sigevent event = { .sigev_notify = SIGEV_NONE };
	sigset_t set;
	pid_t pids[2];
	int brk;

	test_init(argc, argv);
	sigfillset(&set);
	sigprocmask(SIG_BLOCK, &set, NULL);
	asked = map_anon(4096, MAP_SHARED);
	mine = make("/mine");
	none = make("/none");
	of_child = make("/child");
	of_peer = make("/peer");
	used = make("/used");
	/* Closing any descriptor of the queue would end the registration. */
	need(dup2(mine, 300) == 300 && !close(mine), "dup");
	ask(300, SIGEV_SIGNAL, SIGUSR1, (void *)VALUE);
	ask(none, SIGEV_NONE, 0, NULL);
	ask(used, SIGEV_SIGNAL, SIGUSR2, &used);
	need(!mq_send(used, "x", 1, 0), "send");
	expect_signal(SIGUSR2, &used);
	pids[0] = fork_task(child, &of_child);
	pids[1] = (pid_t)syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0);
	if (!pids[1])
		_exit(child(&of_peer));
	await_task("child");
	await_task("peer");

	brk = checkpoint_here();
	if (brk == 1)
		mq_notify(300, NULL);
	if (brk == 4)
		mq_notify(none, NULL);

	check(mq_notify(none, &event) < 0 && errno == EBUSY, "no request any more");
	while (*asked < 2)
		sleep_ms(1);
	check(!mq_send(300, "x", 1, 0) && !mq_send(none, "x", 1, 0), "send");
	expect_signal(SIGUSR1, (void *)VALUE);
	check(!mq_notify(300, &event) && !mq_notify(none, &event) && !mq_notify(used, &event), "request again");
	check(!mq_send(of_child, "x", 1, 0) && !mq_send(of_peer, "x", 1, 0), "send");
	for (int i = 0; i < 2; i++)
		join_task(pids[i]);
	test_done();
}
