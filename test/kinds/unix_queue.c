// SPDX-License-Identifier: GPL-2.0-only
/*
 * Queued data: packets keep their sizes (empty ones, too) and the names of their senders; a stream filled beyond the
 * default buffer; credentials; the program's own SO_PEEK_OFF; options.
 * test: flavours=host,net breaks=1 decode=yes
 */
#include "checkpoint.h"
#include <sys/socket.h>
#include <sys/un.h>

#define BIG (3u << 20)

static void recv_is(int fd, const char *want, ssize_t len)
{
	char buf[64] = "";
	ssize_t got = recv(fd, buf, sizeof(buf), MSG_DONTWAIT);

	check(got == len && !memcmp(buf, want, len), "%zd (%m): %s, not %s", got, buf, want);
}

static int bound(const char *name)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

	strcpy(a.sun_path, name);
	need(!bind(fd, (struct sockaddr *)&a, sizeof(a)), "bind %s: %m", name);
	return fd;
}

static void send_to(int fd, const char *name, const char *text)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };

	strcpy(a.sun_path, name);
	check(sendto(fd, text, strlen(text), 0, (struct sockaddr *)&a, sizeof(a)) == (ssize_t)strlen(text), "to %s: %m",
	      name);
}

static void recv_from(int fd, const char *want, const char *name)
{
	struct sockaddr_un a = { 0 };
	socklen_t len = sizeof(a);
	char buf[64] = "";
	ssize_t got = recvfrom(fd, buf, 64, MSG_DONTWAIT, (struct sockaddr *)&a, &len);

	check(got == (ssize_t)strlen(want) && !strcmp(buf, want), "%zd (%m): %s, not %s", got, buf, want);
	check(!strcmp(a.sun_path, name), "%s came from %s, not %s", want, a.sun_path, name);
}

int main(int argc, char **argv)
{
	int d[2], s[2], big[2], cred[2], peek[2], one = 1, five = 5, v, server, client, other, closed, size = BIG * 2;
	struct timeval tv = { .tv_sec = 3, .tv_usec = 20000 };
	char *data = map_anon(BIG, MAP_PRIVATE), *back = map_anon(BIG, MAP_PRIVATE), c[256], buf[16];
	socklen_t len = sizeof(v);
	struct iovec iov = { buf, sizeof(buf) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = c, .msg_controllen = sizeof(c) };
	struct ucred *u;

	test_init(argc, argv);
	need(!socketpair(AF_UNIX, SOCK_DGRAM, 0, d) && !socketpair(AF_UNIX, SOCK_SEQPACKET, 0, s), "pairs");
	check(send(d[0], "one", 3, 0) == 3 && !send(d[0], "", 0, 0) && send(d[0], "three", 5, 0) == 5 &&
		      send(d[1], "back", 4, 0) == 4,
	      "datagrams");
	for (int i = 0; i < 40; i++)
		check(send(s[0], "0123456789012345678901234567890123456789", i + 1, 0) == i + 1, "packet %d", i);
	need(!socketpair(AF_UNIX, SOCK_STREAM, 0, big), "pair");
	setsockopt(big[0], SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));
	fill(data, BIG, 7);
	need(send(big[0], data, BIG, MSG_DONTWAIT) == BIG, "3 MB: %m");
	need(!socketpair(AF_UNIX, SOCK_STREAM, 0, cred), "pair");
	need(!setsockopt(cred[1], SOL_SOCKET, SO_PASSCRED, &one, sizeof(one)), "passcred");
	check(write(cred[0], "who", 3) == 3, "write");
	need(!socketpair(AF_UNIX, SOCK_STREAM, 0, peek), "pair");
	check(write(peek[0], "0123456789", 10) == 10, "write");
	need(!setsockopt(peek[1], SOL_SOCKET, SO_PEEK_OFF, &five, sizeof(five)), "peek off");
	need(!setsockopt(peek[1], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)), "timeout");
	server = bound("server");
	client = bound("client");
	other = socket(AF_UNIX, SOCK_DGRAM, 0);
	closed = bound("closed");
	send_to(client, "server", "from client");
	send_to(other, "server", "from nobody");
	send_to(closed, "server", "from the dead");
	close(closed);
	unlink("closed");
	if (checkpoint_here())
		recv(d[1], buf, 1, 0);
	recv_is(d[1], "one", 3);
	recv_is(d[1], "", 0);
	recv_is(d[1], "three", 5);
	check(recv(d[1], buf, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN, "no more");
	recv_is(d[0], "back", 4);
	for (int i = 0; i < 40; i++)
		recv_is(s[1], "0123456789012345678901234567890123456789", i + 1);
	check(recv(s[1], buf, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN, "no more");
	for (size_t at = 0; at < BIG;) {
		ssize_t got = recv(big[1], back + at, BIG - at, MSG_DONTWAIT);

		need(got > 0, "3 MB: %zd after %zu: %m", got, at);
		at += got;
	}
	check(!wrong(back, BIG, 7), "3 MB: byte %zu", wrong(back, BIG, 7));
	check(!getsockopt(big[0], SOL_SOCKET, SO_SNDBUF, &v, &len) && v == 2 * size, "send buffer %d", v);
	check(recvmsg(cred[1], &msg, MSG_DONTWAIT) == 3 && CMSG_FIRSTHDR(&msg), "credentials: %m");
	u = (struct ucred *)CMSG_DATA(CMSG_FIRSTHDR(&msg));
	check(u->pid == getpid() && u->uid == getuid() && u->gid == getgid(), "credentials: %d %d %d", u->pid, u->uid,
	      u->gid);
	check(recv(peek[1], buf, 2, MSG_PEEK) == 2 && !memcmp(buf, "56", 2), "peek: %.2s", buf);
	check(!getsockopt(peek[1], SOL_SOCKET, SO_PEEK_OFF, &v, &len) && v == 7, "peek off %d", v);
	recv_is(peek[1], "0123456789", 10);
	len = sizeof(tv);
	check(!getsockopt(peek[1], SOL_SOCKET, SO_RCVTIMEO, &tv, &len) && tv.tv_sec == 3, "timeout %ld", tv.tv_sec);
	recv_from(server, "from client", "client");
	recv_from(server, "from nobody", "");
	recv_from(server, "from the dead", "closed");
	check(access("closed", F_OK) < 0, "closed exists");
	send_to(server, "client", "answer");
	recv_from(client, "answer", "server");
	send_to(client, "server", "question");
	recv_from(server, "question", "client");
	test_done();
}
