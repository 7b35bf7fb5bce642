// SPDX-License-Identifier: GPL-2.0-only
/*
 * Signals of a descriptor are sent to a thread that is not the first of its process (F_SETOWN_EX, F_OWNER_TID): of one's own, and
 * of another process, which has forked before; for a pipe, a socket, and one in flight. They reach that thread and no other.
 * test: flavours=host,pid,nested breaks=3
 */
#include "checkpoint.h"
#include <pthread.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#define SIG (SIGRTMIN + 3)

struct thread {
	pthread_t id;
	pid_t tid;
	int end, got;
};

static __thread struct thread *self;
static int strays;

static void on_signal(int sig)
{
	__atomic_fetch_add(self ? &self->got : &strays, 1, __ATOMIC_SEQ_CST);
}

static void *run(void *arg)
{
	self = arg;
	__atomic_store_n(&self->tid, (pid_t)syscall(SYS_gettid), __ATOMIC_SEQ_CST);
	while (!__atomic_load_n(&self->end, __ATOMIC_SEQ_CST))
		sleep_ms(1);
	return NULL;
}

static void start(struct thread *t)
{
	need(!pthread_create(&t->id, NULL, run, t), "thread");
	while (!__atomic_load_n(&t->tid, __ATOMIC_SEQ_CST))
		sleep_ms(1);
}

static void end(struct thread *t)
{
	__atomic_store_n(&t->end, 1, __ATOMIC_SEQ_CST);
	pthread_join(t->id, NULL);
}

static void own(int fd, pid_t tid)
{
	struct f_owner_ex owner = { F_OWNER_TID, tid };

	need(!fcntl(fd, F_SETOWN_EX, &owner) && !fcntl(fd, F_SETSIG, SIG) && !fcntl(fd, F_SETFL, O_ASYNC | O_NONBLOCK),
	     "owner %d (errno %d)", tid, errno);
}

static bool is_owned(int fd, pid_t tid)
{
	struct f_owner_ex owner = { 0 };

	return !fcntl(fd, F_GETOWN_EX, &owner) && owner.type == F_OWNER_TID && owner.pid == tid &&
	       fcntl(fd, F_GETSIG) == SIG;
}

static void pass(int sock, int fd)
{
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(sizeof(int))];
	} control = { .head = { CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS } };
	struct iovec byte = { "x", 1 };
	struct msghdr msg = {
		.msg_iov = &byte, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)
	};

	memcpy(CMSG_DATA(&control.head), &fd, sizeof(fd));
	need(sendmsg(sock, &msg, 0) == 1, "send a descriptor (errno %d)", errno);
	close(fd);
}

static int receive(int sock)
{
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(sizeof(int))];
	} control;
	char x;
	struct iovec byte = { &x, 1 };
	struct msghdr msg = {
		.msg_iov = &byte, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)
	};
	int fd;

	need(recvmsg(sock, &msg, 0) == 1, "receive a descriptor (errno %d)", errno);
	memcpy(&fd, CMSG_DATA(&control.head), sizeof(fd));
	return fd;
}

static bool reached(struct thread *t, int times)
{
	for (int i = 0; i < 2000 && __atomic_load_n(&t->got, __ATOMIC_SEQ_CST) < times; i++)
		sleep_ms(1);
	return __atomic_load_n(&t->got, __ATOMIC_SEQ_CST) == times;
}

struct shared {
	pid_t tid;
	int times;
	bool good;
};

static struct shared *shared;

static int other(void *arg)
{
	static struct thread t;

	start(&t);
	shared->tid = t.tid;
	checkpoint_task("other", 0);
	check(t.tid == shared->tid, "its thread");
	check(reached(&t, 1), "other: %d signals", t.got);
	end(&t);
	return 0;
}

int main(int argc, char **argv)
{
	static struct thread one, two;
	struct sigaction act = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
	int pipes[2], socks[2], flown[2], way[2], theirs[2], fault, fd;
	pid_t child;

	test_init(argc, argv);
	shared = map_anon(sizeof(*shared), MAP_SHARED);
	sigaction(SIG, &act, NULL);
	child = fork_task(other, NULL);
	await_task("other");
	start(&one);
	start(&two);
	need(!pipe(pipes) && !pipe(flown) && !pipe(theirs) && !socketpair(AF_UNIX, SOCK_STREAM, 0, socks) &&
		     !socketpair(AF_UNIX, SOCK_STREAM, 0, way),
	     "descriptors");
	own(pipes[0], one.tid);
	own(socks[0], two.tid);
	own(flown[0], two.tid);
	own(theirs[0], shared->tid);
	pass(way[0], flown[0]);
	fault = checkpoint_here();
	if (fault == 1)
		own(pipes[0], two.tid);
	if (fault == 2)
		own(theirs[0], getpid());
	fd = receive(way[1]);
	if (fault == 3)
		own(fd, one.tid);
	check(is_owned(pipes[0], one.tid), "a pipe");
	check(is_owned(socks[0], two.tid), "a socket");
	check(is_owned(fd, two.tid), "one in flight");
	check(is_owned(theirs[0], shared->tid), "that of a thread of another process");
	need(write(pipes[1], "x", 1) == 1 && write(socks[1], "x", 1) == 1 && write(flown[1], "x", 1) == 1 &&
		     write(theirs[1], "x", 1) == 1,
	     "write");
	check(reached(&one, 1), "first thread: %d signals", one.got);
	check(reached(&two, 2), "second thread: %d signals", two.got);
	check(!strays, "%d signals to others", strays);
	join_task(child);
	end(&one);
	end(&two);
	test_done();
}
