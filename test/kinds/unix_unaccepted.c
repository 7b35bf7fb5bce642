// SPDX-License-Identifier: GPL-2.0-only
/*
 * Data sent through connections that are not accepted yet: small, large, in packets, with credentials; by clients that
 * have shut down, and that are closed. They are accepted in the order in which they connected.
 * test: flavours=host,net breaks=2 decode=yes
 */
#include "checkpoint.h"
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>

#define LARGE 150000
#define CLIENTS 6

static const int types[] = { SOCK_STREAM, SOCK_SEQPACKET };
static char large[LARGE], got[LARGE + 1];

static socklen_t address(struct sockaddr_un *a, const char *name)
{
	size_t len = strlen(name);

	memset(a, 0, sizeof(*a));
	a->sun_family = AF_UNIX;
	memcpy(a->sun_path, name, len);
	if (name[0] == '@')
		a->sun_path[0] = 0;
	return offsetof(struct sockaddr_un, sun_path) + len + (name[0] != '@');
}

static int listen_at(int type, const char *name)
{
	struct sockaddr_un a;
	socklen_t len = address(&a, name);
	int fd = socket(AF_UNIX, type, 0), on = 1;

	need(fd >= 0 && !bind(fd, (struct sockaddr *)&a, len) && !listen(fd, 10), "listen on %s: %m", name);
	need(!setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)), "SO_PASSCRED");
	return fd;
}

static void put(int fd, const char *bytes, size_t len)
{
	check(write(fd, bytes, len) == (ssize_t)len, "write %zu: %m", len);
}

/* The oldest socket connects last. */
static void make_clients(int type, const char *name, int *c)
{
	int room = 1 << 20;
	struct sockaddr_un a;
	socklen_t len = address(&a, name);

	for (int i = CLIENTS - 1; i >= 0; i--)
		c[i] = socket(AF_UNIX, type, 0);
	for (int i = 0; i < CLIENTS; i++) {
		need(!setsockopt(c[i], SOL_SOCKET, SO_SNDBUF, &room, sizeof(room)), "SO_SNDBUF");
		need(!connect(c[i], (struct sockaddr *)&a, len), "connect to %s: %m", name);
	}
	put(c[0], "first", 5);
	put(c[0], "second one", 10);
	put(c[1], large, LARGE);
	put(c[2], "and no more", 11);
	need(!shutdown(c[2], SHUT_WR), "shutdown");
	put(c[3], "farewell", 8);
	close(c[3]);
	close(c[4]);
}

/* One packet, or up to @len bytes of a stream. */
static void expect(int fd, const char *bytes, size_t len, bool stream)
{
	size_t n = 0;

	while (n < len) {
		ssize_t r = read(fd, got + n, len - n + !stream);

		if (r <= 0)
			break;
		n += r;
		if (!stream)
			break;
	}
	check(n == len && !memcmp(got, bytes, len), "%zu bytes, not %zu: %.20s", n, len, got);
}

static void has_sender(int fd)
{
	char control[256], byte[16];
	struct iovec iov = { byte, sizeof(byte) };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)
	};
	struct ucred cred = { 0 };

	check(recvmsg(fd, &msg, MSG_PEEK) > 0, "peek: %m");
	for (struct cmsghdr *m = CMSG_FIRSTHDR(&msg); m; m = CMSG_NXTHDR(&msg, m))
		if (m->cmsg_level == SOL_SOCKET && m->cmsg_type == SCM_CREDENTIALS)
			memcpy(&cred, CMSG_DATA(m), sizeof(cred));
	check(cred.pid == getpid() && cred.uid == getuid(), "sent by pid %d, user %d", cred.pid, cred.uid);
}

static void ends(int fd)
{
	check(read(fd, got, 1) == 0, "more: %.10s, %m", got);
}

static void verify(int listener, const int *c, bool stream)
{
	int s[CLIENTS], on = 1;

	fcntl(listener, F_SETFL, O_NONBLOCK);
	for (int i = 0; i < CLIENTS; i++) {
		s[i] = accept(listener, NULL, NULL);
		need(s[i] >= 0, "accept %d: %m", i);
		setsockopt(s[i], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on));
		fcntl(s[i], F_SETFL, O_NONBLOCK);
	}
	check(accept(listener, NULL, NULL) < 0 && errno == EAGAIN, "no further connection");
	has_sender(s[0]);
	if (stream) {
		expect(s[0], "first", 5, true);
		expect(s[0], "second one", 10, true);
	} else {
		expect(s[0], "first", 5, false);
		expect(s[0], "second one", 10, false);
	}
	check(read(s[0], got, 1) < 0 && errno == EAGAIN, "no more data yet");
	expect(s[1], large, LARGE, stream);
	expect(s[2], "and no more", 11, stream);
	ends(s[2]);
	expect(s[3], "farewell", 8, stream);
	ends(s[3]);
	check(write(s[3], "x", 1) < 0 && errno == EPIPE, "the client is closed");
	ends(s[4]);
	put(s[2], "answer", 6);
	expect(c[2], "answer", 6, stream);
	put(c[5], "later", 5);
	expect(s[5], "later", 5, stream);
	put(s[5], "answer", 6);
	expect(c[5], "answer", 6, stream);
	for (int i = 0; i < CLIENTS; i++)
		close(s[i]);
}

int main(int argc, char **argv)
{
	char name[2][2][100];
	int l[2][2], c[2][2][CLIENTS];
	unsigned salt;

	test_init(argc, argv);
	signal(SIGPIPE, SIG_IGN);
	need(getrandom(&salt, sizeof(salt), 0) == sizeof(salt), "getrandom");
	for (int i = 0; i < LARGE; i++)
		large[i] = (char)(i * 7 + i / 251);
	for (int i = 0; i < 2; i++) {
		for (int j = 0; j < 2; j++) {
			if (j)
				snprintf(name[i][j], 100, "@waiting%d-%x", i, salt);
			else
				snprintf(name[i][j], 100, "waiting%d", i);
			l[i][j] = listen_at(types[i], name[i][j]);
			make_clients(types[i], name[i][j], c[i][j]);
		}
	}
	switch (checkpoint_here()) {
	case 1:
		close(accept(l[0][0], NULL, NULL));
		break;
	case 2:
		put(c[1][1][0], "third", 5);
		break;
	}
	for (int i = 0; i < 2; i++)
		for (int j = 0; j < 2; j++)
			verify(l[i][j], c[i][j], types[i] == SOCK_STREAM);
	test_done();
}
