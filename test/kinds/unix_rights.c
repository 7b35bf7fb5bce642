// SPDX-License-Identifier: GPL-2.0-only
/*
 * Descriptors in flight: of a file that is open elsewhere (the same description), of one that is open nowhere else, of
 * a pipe whose other end we have, of a socket that has descriptors in flight itself; between two processes.
 * test: flavours=host,pid,net,user,owned,nested,rootless breaks=1 decode=yes user-root=host
 */
#include "checkpoint.h"
#include <sys/socket.h>

static int pass[2], packets[2];

static void send_fds_with(int sock, const char *text, const int *fds, int n)
{
	char c[CMSG_SPACE(4 * sizeof(int))] = "";
	struct iovec iov = { (char *)text, strlen(text) };
	struct msghdr m = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = c, .msg_controllen = CMSG_SPACE(n * sizeof(int))
	};
	struct cmsghdr *h = CMSG_FIRSTHDR(&m);

	h->cmsg_level = SOL_SOCKET;
	h->cmsg_type = SCM_RIGHTS;
	h->cmsg_len = CMSG_LEN(n * sizeof(int));
	memcpy(CMSG_DATA(h), fds, n * sizeof(int));
	need(sendmsg(sock, &m, 0) == (ssize_t)strlen(text), "sendmsg: %m");
}

static void recv_fds_with(int sock, const char *text, int *fds, int n)
{
	char c[CMSG_SPACE(4 * sizeof(int))] = "", buf[32] = "";
	struct iovec iov = { buf, sizeof(buf) };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = c, .msg_controllen = sizeof(c) };
	ssize_t len = recvmsg(sock, &m, MSG_DONTWAIT);
	struct cmsghdr *h = CMSG_FIRSTHDR(&m);

	need(len == (ssize_t)strlen(text) && !strcmp(buf, text), "%zd: %s, not %s (%m)", len, buf, text);
	need(h && h->cmsg_type == SCM_RIGHTS && h->cmsg_len == CMSG_LEN(n * sizeof(int)), "%s: no descriptors", text);
	memcpy(fds, CMSG_DATA(h), n * sizeof(int));
}

static int child(void *arg)
{
	int fds[4];
	char buf[8] = "";

	close(pass[0]);
	checkpoint_task("child", 0);
	recv_fds_with(pass[1], "pipe", fds, 2);
	check(write(fds[1], "through", 7) == 7, "write: %m");
	check(read(fds[0], buf, 8) == 4 && !memcmp(buf, "data", 4), "read %s", buf);
	return 0;
}

int main(int argc, char **argv)
{
	int fds[4], shared, p[2], q[2], inner[2], inmost[2];
	char buf[32] = "";
	pid_t pid;

	test_init(argc, argv);
	need(!socketpair(AF_UNIX, SOCK_STREAM, 0, pass) && !socketpair(AF_UNIX, SOCK_SEQPACKET, 0, packets) &&
		     !pipe(p) && !pipe(q) && !socketpair(AF_UNIX, SOCK_DGRAM, 0, inner) &&
		     !socketpair(AF_UNIX, SOCK_STREAM, 0, inmost),
	     "make");
	write_file("data", "0123456789");
	shared = open("data", O_RDWR);
	fds[0] = shared;
	fds[1] = open("data", O_RDONLY);
	fds[2] = fds[1];
	lseek(shared, 2, SEEK_SET);
	lseek(fds[1], 5, SEEK_SET);
	send_fds_with(packets[0], "files", fds, 3);
	check(send(packets[0], "plain", 5, 0) == 5, "send");
	close(fds[1]);
	/* A socket in flight, with a socket in flight in its queue, with a pipe's end in flight in that one's queue. */
	send_fds_with(inmost[0], "inmost", &q[1], 1);
	close(q[1]);
	send_fds_with(inner[0], "inner", &inmost[1], 1);
	close(inmost[1]);
	send_fds_with(packets[0], "nested", &inner[1], 1);
	close(inner[1]);
	pid = fork_task(child, NULL);
	close(pass[1]);
	await_task("child");
	fds[0] = open("/dev/zero", O_RDONLY);
	close(fds[0]);
	check(write(p[1], "", 0) == 0, "write");
	{
		int other[2];

		need(!pipe(other) && write(other[1], "data", 4) == 4, "pipe");
		fds[0] = other[0];
		fds[1] = p[1];
		send_fds_with(pass[0], "pipe", fds, 2);
		close(other[0]);
		close(other[1]);
		close(p[1]);
	}
	if (checkpoint_here())
		lseek(shared, 3, SEEK_SET);
	recv_fds_with(packets[1], "files", fds, 3);
	check(lseek(fds[0], 0, SEEK_CUR) == 2 && lseek(shared, 7, SEEK_SET) == 7 && lseek(fds[0], 0, SEEK_CUR) == 7,
	      "shared");
	check(lseek(fds[1], 0, SEEK_CUR) == 5 && lseek(fds[2], 1, SEEK_SET) == 1 && lseek(fds[1], 0, SEEK_CUR) == 1,
	      "alone");
	check(recv(packets[1], buf, 32, MSG_DONTWAIT) == 5 && !memcmp(buf, "plain", 5), "plain: %s", buf);
	recv_fds_with(packets[1], "nested", &inner[1], 1);
	recv_fds_with(inner[1], "inner", &inmost[1], 1);
	recv_fds_with(inmost[1], "inmost", &q[1], 1);
	check(write(q[1], "deep", 4) == 4 && read(q[0], buf, 32) == 4 && !memcmp(buf, "deep", 4), "deep: %s", buf);
	close(q[1]);
	check(!read(q[0], buf, 1), "the pipe is still open");
	check(send(inner[1], "up", 2, 0) == 2 && recv(inner[0], buf, 32, MSG_DONTWAIT) == 2, "inner");
	check(read(p[0], buf, 32) == 7 && !memcmp(buf, "through", 7), "through: %s", buf);
	join_task(pid);
	check(!read(p[0], buf, 32), "the child's pipe is still open");
	test_done();
}
