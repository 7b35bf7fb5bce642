// SPDX-License-Identifier: GPL-2.0-only
/*
 * Locks of files that are only in flight in a socket, as systemd keeps those of dynamic users: flock(2), and locks of open files
 * (fcntl(2)); in a socket that is in flight itself.
 * test: options=--file-locks restore-options=--file-locks flavours=host,pid,user breaks=2 decode=yes
 */
#include "checkpoint.h"
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/wait.h>

static void put_in_flight(int sock, int fd)
{
	char c[CMSG_SPACE(sizeof(int))] = "";
	struct iovec iov = { "x", 1 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = c, .msg_controllen = sizeof(c) };
	struct cmsghdr *h = CMSG_FIRSTHDR(&m);

	h->cmsg_level = SOL_SOCKET;
	h->cmsg_type = SCM_RIGHTS;
	h->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(h), &fd, sizeof(int));
	need(sendmsg(sock, &m, 0) == 1, "sendmsg: %m");
	close(fd);
}

static int receive(int sock)
{
	char c[CMSG_SPACE(sizeof(int))] = "", buf[8];
	struct iovec iov = { buf, sizeof(buf) };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = c, .msg_controllen = sizeof(c) };
	int fd = -1;

	need(recvmsg(sock, &m, MSG_DONTWAIT) == 1 && CMSG_FIRSTHDR(&m), "recvmsg: %m");
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(int));
	return fd;
}

static int lock_range(int fd, short type, long start, long len)
{
	struct flock range = { .l_type = type, .l_start = start, .l_len = len };

	return fcntl(fd, F_OFD_SETLK, &range);
}

/* With a new open file description: what other processes see. */
static bool can_flock(const char *name, int op)
{
	int fd = open(name, O_RDWR);
	bool got = !flock(fd, op | LOCK_NB);

	close(fd);
	return got;
}

static bool can_lock(const char *name, short type, long start, long len)
{
	int fd = open(name, O_RDWR);
	bool got = !lock_range(fd, type, start, len);

	close(fd);
	return got;
}

static void look(const char *when)
{
	check(!can_flock("alone", LOCK_SH), "%s: an exclusive lock", when);
	check(can_flock("shared", LOCK_SH) && !can_flock("shared", LOCK_EX), "%s: a shared lock", when);
	check(can_lock("ranges", F_WRLCK, 0, 10) && can_lock("ranges", F_RDLCK, 10, 5) &&
		      !can_lock("ranges", F_WRLCK, 14, 1) && !can_lock("ranges", F_RDLCK, 20, 1) &&
		      can_lock("ranges", F_WRLCK, 21, 0),
	      "%s: ranges", when);
}

int main(int argc, char **argv)
{
	int pass[2], inner[2], alone, shared, ranges, b;

	test_init(argc, argv);
	need(!socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pass) && !socketpair(AF_UNIX, SOCK_DGRAM, 0, inner), "make");
	alone = open("alone", O_RDWR | O_CREAT, 0600);
	shared = open("shared", O_RDONLY | O_CREAT, 0600);
	ranges = open("ranges", O_RDWR | O_CREAT, 0600);
	need(!flock(alone, LOCK_EX) && !flock(shared, LOCK_SH), "flock");
	need(!lock_range(ranges, F_RDLCK, 10, 5) && !lock_range(ranges, F_WRLCK, 20, 1), "lock");
	put_in_flight(pass[0], alone);
	put_in_flight(pass[0], shared);
	put_in_flight(inner[0], ranges);
	put_in_flight(pass[0], inner[1]);
	look("before");
	b = checkpoint_here();
	if (b == 1)
		flock(receive(pass[1]), LOCK_UN);
	look("after");
	if (b != 1) {
		alone = receive(pass[1]);
		check(!flock(alone, LOCK_EX | LOCK_NB), "the lock is that of the descriptor received");
		close(alone);
		check(can_flock("alone", LOCK_EX), "it ends with the descriptor");
	}
	close(receive(pass[1]));
	inner[1] = receive(pass[1]);
	ranges = receive(inner[1]);
	if (b != 2)
		lock_range(ranges, F_UNLCK, 0, 0);
	check(can_flock("shared", LOCK_EX) && can_lock("ranges", F_WRLCK, 0, 0), "all are free");
	test_done();
}
