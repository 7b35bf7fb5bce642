// SPDX-License-Identifier: GPL-2.0-only
/* Unaccepted data in connections: short and long, in all the forms in which the kernel keeps it. */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "kmem/pending.h"
#include "util_check.h"

static char pattern[300000];
static struct pending_reader *reader;

static uint32_t inode_of(int fd)
{
	struct stat st;

	return fstat(fd, &st) ? 0 : st.st_ino;
}

static int client_of(int type, const struct sockaddr_un *a, socklen_t size)
{
	int fd = socket(AF_UNIX, type, 0), buffer = 1 << 20;

	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof(buffer)) ||
	    connect(fd, (const struct sockaddr *)a, size))
		return -1;
	return fd;
}

static void send_fd(int to, int fd)
{
	char control[CMSG_SPACE(sizeof(int))] = "";
	struct iovec iov = { "f", 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(int));
	CHECK(sendmsg(to, &msg, 0) == 1);
}

static void unix_sockets(int type)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int len = snprintf(a.sun_path + 1, 50, "pending-test-%d-%d", getpid(), type) + 1, on = 1;
	socklen_t size = offsetof(struct sockaddr_un, sun_path) + len;
	int listener = socket(AF_UNIX, type, 0), small, large, none, closed;
	struct pending_connections all = { 0 };
	struct pending_connection *c;

	CHECK(!bind(listener, (struct sockaddr *)&a, size) && !listen(listener, 7));
	small = client_of(type, &a, size);
	large = client_of(type, &a, size);
	none = client_of(type, &a, size);
	closed = client_of(type, &a, size);
	CHECK(!setsockopt(small, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)));
	CHECK(write(small, "first", 5) == 5 && write(small, "second one", 10) == 10);
	CHECK(write(large, pattern, 200000) == 200000);
	send_fd(none, 0);
	CHECK(write(closed, "bye", 3) == 3 && !close(closed));
	CHECK(!pending_unix(reader, listener, &all));
	CHECK(all.n == 4);
	c = &all.v[0];
	CHECK(c->client == inode_of(small) && c->packets.n == 2 && c->bytes.len == 15 && !c->urgent);
	CHECK(!memcmp(c->bytes.data, "firstsecond one", 15) && c->packets.v[1].at == 5 && c->packets.v[1].len == 10);
	CHECK(c->packets.v[0].has_credentials && c->packets.v[0].pid == getpid() && c->packets.v[0].uid == getuid());
	CHECK(!c->packets.v[0].has_rights);
	c = &all.v[1];
	CHECK(c->client == inode_of(large) && c->bytes.len == 200000 && !memcmp(c->bytes.data, pattern, 200000));
	CHECK(type == SOCK_STREAM ? c->packets.n > 1 : c->packets.n == 1);
	c = &all.v[2];
	CHECK(c->client == inode_of(none) && c->packets.n == 1 && c->packets.v[0].has_rights);
	c = &all.v[3];
	CHECK(!c->client && c->bytes.len == 3 && !memcmp(c->bytes.data, "bye", 3));
	pending_free(&all);
	close(listener);
	close(small);
	close(large);
	close(none);
}

static void tcp_sockets(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) }, b;
	struct sockaddr_in6 a6 = { .sin6_family = AF_INET6, .sin6_addr = in6addr_loopback };
	socklen_t size = sizeof(a), size6 = sizeof(a6);
	int listener = socket(AF_INET, SOCK_STREAM, 0), small = socket(AF_INET, SOCK_STREAM, 0);
	int large = socket(AF_INET, SOCK_STREAM, 0), listener6 = socket(AF_INET6, SOCK_STREAM, 0);
	int six = socket(AF_INET6, SOCK_STREAM, 0), got;
	struct pending_connections all = { 0 };
	ssize_t sent;

	CHECK(!bind(listener, (struct sockaddr *)&a, size) && !listen(listener, 7));
	CHECK(!getsockname(listener, (struct sockaddr *)&a, &size));
	CHECK(!connect(small, (struct sockaddr *)&a, size) && !connect(large, (struct sockaddr *)&a, size));
	CHECK(write(small, "small", 5) == 5 && write(small, " too", 4) == 4 && !shutdown(small, SHUT_WR));
	sent = send(large, pattern, sizeof(pattern), MSG_DONTWAIT);
	CHECK(sent > 10000);
	CHECK(!pending_tcp(reader, listener, &all) && all.n == 2);
	CHECK(!getsockname(small, (struct sockaddr *)&b, &size));
	CHECK(all.v[0].family == AF_INET && all.v[0].remote_port == b.sin_port && all.v[0].local_port == a.sin_port);
	CHECK(!memcmp(&all.v[0].remote, &b.sin_addr, 4) && !memcmp(&all.v[0].local, &a.sin_addr, 4));
	CHECK(all.v[0].bytes.len == 9 && !memcmp(all.v[0].bytes.data, "small too", 9) && all.v[0].finished);
	got = all.v[1].bytes.len;
	CHECK(got > 0 && got <= sent && !memcmp(all.v[1].bytes.data, pattern, got) && !all.v[1].finished);
	pending_free(&all);
	if (!bind(listener6, (struct sockaddr *)&a6, size6)) {
		CHECK(!listen(listener6, 1) && !getsockname(listener6, (struct sockaddr *)&a6, &size6));
		CHECK(!connect(six, (struct sockaddr *)&a6, size6) && write(six, "six", 3) == 3);
		CHECK(!pending_tcp(reader, listener6, &all) && all.n == 1);
		CHECK(all.n && all.v[0].family == AF_INET6 && all.v[0].bytes.len == 3);
		CHECK(all.n && !memcmp(&all.v[0].remote, &in6addr_loopback, 16));
		pending_free(&all);
	}
	close(listener);
	close(listener6);
	close(small);
	close(large);
	close(six);
}

static void streams(void)
{
	unix_sockets(SOCK_STREAM);
}

static void packets(void)
{
	unix_sockets(SOCK_SEQPACKET);
}

int main(void)
{
	int err = pending_open(&reader);

	if (err) {
		printf("skip pending: not available to this user, or in this kernel: %s\n", strerror(-err));
		DONE();
	}
	for (size_t i = 0; i < sizeof(pattern); i++)
		pattern[i] = (char)(i * 7 + i / 251);
	RUN(streams);
	RUN(packets);
	RUN(tcp_sockets);
	pending_close(reader);
	DONE();
}
