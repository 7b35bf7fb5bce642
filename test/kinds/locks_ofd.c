// SPDX-License-Identifier: GPL-2.0-only
/*
 * Open-file-description locks: two open files of one process, one shared with a child, one received by SCM_RIGHTS.
 * test: options=--file-locks restore-options=--file-locks breaks=2
 */
#include "checkpoint.h"
#include <sys/syscall.h>
#include <sys/socket.h>

static int fd;

static int set(int at, short type, off_t start, off_t len)
{
	struct flock l = { .l_type = type, .l_start = start, .l_len = len };

	return fcntl(at, F_OFD_SETLK, &l);
}

static bool locked(const char *name, short type, off_t start, off_t len)
{
	struct flock l = { .l_type = type, .l_start = start, .l_len = len };
	int at = open(name, O_RDWR);
	bool is = !fcntl(at, F_OFD_GETLK, &l) && l.l_type != F_UNLCK;

	close(at);
	return is;
}

static void send_fd(int sk, int what)
{
	char byte = 0, control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec iov = { &byte, 1 };
	struct msghdr m = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &what, sizeof(int));
	need(sendmsg(sk, &m, 0) == 1, "sendmsg");
}

static int receive_fd(int sk)
{
	char byte, control[CMSG_SPACE(sizeof(int))];
	struct iovec iov = { &byte, 1 };
	struct msghdr m = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)
	};
	int got = -1;

	need(recvmsg(sk, &m, 0) == 1 && CMSG_FIRSTHDR(&m), "recvmsg");
	memcpy(&got, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(int));
	return got;
}

static int child(void *arg)
{
	int got = receive_fd(*(int *)arg);

	need(!set(got, F_WRLCK, 7, 1), "lock what was sent");
	task_ready("child");
	wait_go(0);
	check(!set(got, F_UNLCK, 5, 1) && !set(fd, F_UNLCK, 0, 4), "unlock");
	task_ready("unlocked");
	wait_go(0);
	return 0;
}

int main(int argc, char **argv)
{
	int other, sent, sk[2], b;
	pid_t kid;

	test_init(argc, argv);
	fd = open("ranges", O_RDWR | O_CREAT, 0600);
	other = open("ranges", O_RDWR);
	need(!set(fd, F_WRLCK, 0, 10) && !set(other, F_RDLCK, 20, 0), "lock");
	need(!socketpair(AF_UNIX, SOCK_STREAM, 0, sk), "socketpair");
	kid = fork_task(child, &sk[1]);
	sent = open("sent", O_RDWR | O_CREAT, 0600);
	need(!set(sent, F_WRLCK, 5, 1), "lock");
	send_fd(sk[0], sent);
	await_task("child");
	await_syscall(kid, SYS_clock_nanosleep);
	b = checkpoint_here();
	if (b == 1)
		set(fd, F_UNLCK, 0, 0);
	if (b == 2)
		close(other);
	await_task("unlocked");
	check(!locked("ranges", F_WRLCK, 0, 4) && locked("ranges", F_RDLCK, 4, 6),
	      "the part that the child has unlocked");
	check(set(other, F_WRLCK, 5, 1) < 0 && errno == EAGAIN, "two open files of one process");
	check(locked("ranges", F_WRLCK, 1000, 1) && !locked("ranges", F_RDLCK, 1000, 1), "the shared range");
	check(!locked("sent", F_WRLCK, 5, 1) && locked("sent", F_WRLCK, 7, 1), "the sent descriptor");
	check(!set(sent, F_UNLCK, 7, 1) && !locked("sent", F_WRLCK, 7, 1), "not the same open file");
	join_task(kid);
	test_done();
}
