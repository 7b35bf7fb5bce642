// SPDX-License-Identifier: GPL-2.0-only
/*
 * pidfds of threads (PIDFD_THREAD): of one's own, twice; of another process's, in both of them; in flight; of an exited
 * one. Signals go to that very thread; the exit of the thread is reported, not that of its process.
 * test: boots=others breaks=2 ignore=anon_inode:.pidfd
 */
#include "checkpoint.h"
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>

struct thread {
	pthread_t id;
	pid_t tid;
	int end, signalled;
};

static __thread struct thread *self;

static void on_signal(int sig)
{
	if (self)
		__atomic_store_n(&self->signalled, 1, __ATOMIC_SEQ_CST);
}

static void *wait_released(void *arg)
{
	self = arg;
	__atomic_store_n(&self->tid, (pid_t)syscall(SYS_gettid), __ATOMIC_SEQ_CST);
	while (!__atomic_load_n(&self->end, __ATOMIC_SEQ_CST))
		sleep_ms(1);
	return NULL;
}

static void start(struct thread *t)
{
	need(!pthread_create(&t->id, NULL, wait_released, t), "thread");
	while (!__atomic_load_n(&t->tid, __ATOMIC_SEQ_CST))
		sleep_ms(1);
}

static int open_thread(pid_t tid, unsigned flags)
{
	int fd = (int)syscall(SYS_pidfd_open, tid, O_EXCL | flags);

	if (fd < 0 && errno == EINVAL)
		test_skip("this kernel has no pidfds of threads");
	need(fd >= 0, "pidfd of %d", tid);
	return fd;
}

static long pid_of(int fd)
{
	char path[64], text[512], *at;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	read_file(path, text, sizeof(text));
	at = strstr(text, "\nPid:");
	return at ? atol(at + 5) : -2;
}

static int ended(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, 0);
}

/* pthread_join(3) returns a moment before the kernel has finished with the thread. */
static int ends(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, 20000);
}

static void signal_it(struct thread *t, int fd)
{
	check(!syscall(SYS_pidfd_send_signal, fd, SIGUSR1, NULL, 0), "signal to thread %d", t->tid);
	for (int i = 0; i < 10000 && !__atomic_load_n(&t->signalled, __ATOMIC_SEQ_CST); i++)
		sleep_ms(1);
	check(__atomic_load_n(&t->signalled, __ATOMIC_SEQ_CST), "thread %d was not signalled", t->tid);
}

static void end(struct thread *t)
{
	__atomic_store_n(&t->end, 1, __ATOMIC_SEQ_CST);
	pthread_join(t->id, NULL);
}

/* Another process with a thread, whose pidfd it sends through @arg. */
static int other(void *arg)
{
	static struct thread t;
	int socket = *(int *)arg, fd;
	char c = 0, control[CMSG_SPACE(sizeof(int))] = "";
	struct iovec iov = { &c, 1 };
	struct msghdr m = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)
	};
	struct cmsghdr *h = CMSG_FIRSTHDR(&m);

	start(&t);
	fd = open_thread(t.tid, 0);
	h->cmsg_level = SOL_SOCKET;
	h->cmsg_type = SCM_RIGHTS;
	h->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(h), &fd, sizeof(int));
	/* One for either side of the checkpoint. */
	need(sendmsg(socket, &m, 0) == 1 && sendmsg(socket, &m, 0) == 1, "sendmsg");
	checkpoint_task("other", 0);
	check(pid_of(fd) == t.tid && !ended(fd), "the other's own: %ld", pid_of(fd));
	signal_it(&t, fd);
	await_task("seen");
	end(&t);
	check(ends(fd) == 1, "the exit of the other's thread");
	task_ready("over");
	await_task("bye");
	return 0;
}

static int receive(int socket)
{
	char c, control[CMSG_SPACE(sizeof(int))];
	struct iovec iov = { &c, 1 };
	struct msghdr m = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)
	};
	int fd = -1;

	need(recvmsg(socket, &m, 0) == 1 && CMSG_FIRSTHDR(&m), "recvmsg");
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(int));
	return fd;
}

int main(int argc, char **argv)
{
	static struct thread mine, gone;
	int first, again, theirs, late, past, pass[2], brk;
	struct stat a, b;
	pid_t pid;

	test_init(argc, argv);
	signal(SIGUSR1, on_signal);
	need(!socketpair(AF_UNIX, SOCK_DGRAM, 0, pass), "socketpair");
	pid = fork_task(other, &pass[1]);
	start(&mine);
	start(&gone);
	first = open_thread(mine.tid, 0);
	again = open_thread(mine.tid, O_NONBLOCK);
	past = open_thread(gone.tid, 0);
	end(&gone);
	need(ends(past) == 1, "its exit");
	theirs = receive(pass[0]);
	await_task("other");

	brk = checkpoint_here();
	if (brk == 1)
		dup2(open_thread(getpid(), 0), first);
	if (brk == 2)
		dup2(first, past);

	late = receive(pass[0]);
	check(pid_of(first) == mine.tid && pid_of(again) == mine.tid, "of %ld %ld", pid_of(first), pid_of(again));
	check(!ended(first) && !ended(again) && !ended(theirs) && !ended(late), "one of them has exited");
	check(ended(past) == 1, "an exited thread is alive");
	check(!fstat(first, &a) && !fstat(again, &b) && a.st_ino == b.st_ino, "refer to two threads");
	check(!fstat(theirs, &a) && !fstat(late, &b) && a.st_ino == b.st_ino, "theirs: refer to two threads");
	check(fcntl(again, F_GETFL) & O_NONBLOCK && !(fcntl(first, F_GETFL) & O_NONBLOCK), "flags");
	signal_it(&mine, first);
	end(&mine);
	check(ends(first) == 1 && ends(again) == 1, "its exit is not reported");
	task_ready("seen");
	await_task("over");
	check(ends(theirs) == 1 && ends(late) == 1, "the exit of theirs is not reported");
	task_ready("bye");
	join_task(pid);
	test_done();
}
