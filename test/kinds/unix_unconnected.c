// SPDX-License-Identifier: GPL-2.0-only
/*
 * Unconnected sockets of each type, with names of each form, shut down in each direction; pending errors.
 * test: flavours=host,net breaks=2 decode=yes
 */
#include "checkpoint.h"
#include <poll.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

#define WAYS 4 /* as in shutdown(2), and one that is not shut down */
#define OPEN 3
#define NAMES 4
#define TYPES 3

static const int types[TYPES] = { SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET };
static int fds[TYPES][NAMES][WAYS], listeners[TYPES][WAYS], lone, disconnected[2], disconnected_pair[2];

static socklen_t name_of(struct sockaddr_un *a, int type, int name, int way)
{
	int n = 0;

	memset(a, 0, sizeof(*a));
	a->sun_family = AF_UNIX;
	if (name == 1)
		n = snprintf(a->sun_path, sizeof(a->sun_path), "%s/p%d-%d", test_dir(), type, way) + 1;
	if (name == 2)
		n = snprintf(a->sun_path, sizeof(a->sun_path), "r%d-%d", type, way) + 1;
	if (name == 3)
		n = 1 + snprintf(a->sun_path + 1, sizeof(a->sun_path) - 1, "criu-unconnected-%d-%d-%s", type, way,
				 test_dir());
	return (socklen_t)offsetof(struct sockaddr_un, sun_path) + (socklen_t)n;
}

static int make(int type, int name, int way)
{
	struct sockaddr_un a;
	socklen_t len = name_of(&a, type, name, way);
	int fd = socket(AF_UNIX, type, 0);

	need(fd >= 0, "socket: %m");
	need(!name || !bind(fd, (struct sockaddr *)&a, len), "bind %d %d: %m", type, name);
	return fd;
}

static short shown(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLRDHUP };

	poll(&p, 1, 0);
	return p.revents & POLLRDHUP;
}

static void check_one(int t, int name, int way)
{
	int fd = fds[t][name][way], type = types[t];
	bool reads = way == SHUT_WR || way == OPEN;
	struct sockaddr_un a, want;
	socklen_t len = sizeof(a), want_len = name_of(&want, type, name, way);

	check(!getsockname(fd, (struct sockaddr *)&a, &len) && len == want_len && !memcmp(&a, &want, len),
	      "type %d: name %d of %u bytes, not %u", type, name, len, want_len);
	check(shown(fd) == (reads ? 0 : POLLRDHUP), "type %d, name %d, way %d: poll %#x", type, name, way, shown(fd));
	if (type != SOCK_DGRAM)
		return;
	/* To itself, if it has a name. */
	if (name && way != SHUT_RD) {
		ssize_t sent = sendto(fd, "x", 1, MSG_NOSIGNAL | MSG_DONTWAIT, (struct sockaddr *)&want, want_len);

		check(way == OPEN ? sent == 1 : sent < 0 && errno == EPIPE, "datagram, way %d: sent %zd: %m", way,
		      sent);
	}
}

static void check_listener(int t, int way)
{
	struct sockaddr_un a;
	socklen_t len = name_of(&a, types[t] + 10, 2, way);
	int fd = socket(AF_UNIX, types[t], 0), got;
	bool reads = way == SHUT_WR || way == OPEN;

	got = connect(fd, (struct sockaddr *)&a, len);
	check(reads ? !got : got < 0 && errno == ECONNREFUSED, "listener %d, way %d: connect: %m", types[t], way);
	if (reads)
		check(accept(listeners[t][way], NULL, NULL) >= 0, "accept: %m");
	close(fd);
}

/* A datagram socket whose peer was connected elsewhere with unread data. */
static void set_up_errors(void)
{
	struct sockaddr none = { .sa_family = AF_UNSPEC };

	need(!socketpair(AF_UNIX, SOCK_DGRAM, 0, disconnected) &&
		     !socketpair(AF_UNIX, SOCK_DGRAM, 0, disconnected_pair),
	     "pairs");
	need(send(disconnected[0], "lost", 4, 0) == 4 && !connect(disconnected[1], &none, sizeof(none)),
	     "disconnect: %m");
	need(send(disconnected_pair[0], "lost", 4, 0) == 4 && !connect(disconnected_pair[1], &none, sizeof(none)),
	     "disconnect: %m");
	close(disconnected_pair[1]);
}

static int error_of(int fd)
{
	int error = -1;
	socklen_t len = sizeof(error);

	getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len);
	return error;
}

int main(int argc, char **argv)
{
	struct sockaddr_un a;
	int brk;

	test_init(argc, argv);
	for (int t = 0; t < TYPES; t++) {
		for (int name = 0; name < NAMES; name++) {
			for (int way = 0; way < WAYS; way++) {
				fds[t][name][way] = make(types[t], name, way);
				if (way != OPEN)
					need(!shutdown(fds[t][name][way], way), "shutdown %d: %m", way);
			}
		}
		for (int way = 0; way < WAYS && types[t] != SOCK_DGRAM; way++) {
			socklen_t len = name_of(&a, types[t] + 10, 2, way);
			int fd = socket(AF_UNIX, types[t], 0);

			need(!bind(fd, (struct sockaddr *)&a, len) && !listen(fd, 3), "listen: %m");
			need(way == OPEN || !shutdown(fd, way), "shutdown: %m");
			listeners[t][way] = fd;
		}
	}
	lone = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0);
	set_up_errors();

	brk = checkpoint_here();
	if (brk == 1)
		need(!shutdown(fds[2][1][OPEN], SHUT_RDWR), "shutdown");
	if (brk == 2)
		error_of(disconnected[0]);

	for (int t = 0; t < TYPES; t++) {
		for (int name = 0; name < NAMES; name++)
			for (int way = 0; way < WAYS; way++)
				check_one(t, name, way);
		for (int way = 0; way < WAYS && types[t] != SOCK_DGRAM; way++)
			check_listener(t, way);
	}
	check(fcntl(lone, F_GETFL) == (O_RDWR | O_NONBLOCK), "flags");
	name_of(&a, SOCK_SEQPACKET + 10, 2, OPEN);
	check(!connect(lone, (struct sockaddr *)&a, sizeof(a.sun_family) + strlen(a.sun_path) + 1), "connect: %m");
	check(error_of(disconnected[0]) == ECONNRESET && !error_of(disconnected[0]), "error of a datagram socket");
	check(error_of(disconnected_pair[0]) == ECONNRESET && !error_of(disconnected_pair[0]),
	      "error of one whose peer is closed");
	test_done();
}
