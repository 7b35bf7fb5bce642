// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sockets of several users on one port, addresses that the host does not have, and keys of TCP_MD5SIG.
 * test: flavours=host,net,user net=own options=--tcp-established restore-options=--tcp-established breaks=2 decode=yes
 */
#include "checkpoint.h"
#include "inet.h"
#include <poll.h>

#define USER 1234
#define KEY "a key of thirty-two bytes, or so"

static int tcp[2], udp[2], foreign[4], foreign_port[4], listener, client, server, closed;

static int neighbour(int type, int port, uid_t owner)
{
	int fd = inet_socket(AF_INET, type, 0);

	inet_set(fd, SOL_SOCKET, SO_REUSEPORT, 1);
	inet_bind(fd, AF_INET, "127.0.0.1", port);
	if (type == SOCK_STREAM)
		need(!listen(fd, 4), "listen");
	if (owner)
		need(!fchown(fd, owner, (gid_t)-1), "fchown: %m");
	return fd;
}

static int far(int family, int type)
{
	int fd = inet_socket(family, type, 0);
	int level = family == AF_INET ? IPPROTO_IP : IPPROTO_IPV6, name = family == AF_INET ? IP_FREEBIND : 78;

	inet_set(fd, level, name, 1);
	inet_bind(fd, family, family == AF_INET ? "192.0.2.7" : "2001:db8::7", 0);
	inet_set(fd, level, name, 0);
	if (type == SOCK_STREAM)
		need(!listen(fd, 4), "listen");
	return fd;
}

static bool set_key(int fd, const char *key)
{
	struct tcp_md5sig sig = { .tcpm_keylen = (uint16_t)strlen(key) };

	inet_name((union inet_name *)&sig.tcpm_addr, AF_INET, "127.0.0.1", 0);
	memcpy(sig.tcpm_key, key, strlen(key));
	return !setsockopt(fd, IPPROTO_TCP, TCP_MD5SIG, &sig, sizeof(sig));
}

static int connect_signed(const char *key)
{
	int fd = inet_socket(AF_INET, SOCK_STREAM, 0);
	struct pollfd p = { .fd = fd, .events = POLLOUT };

	if (key)
		check(set_key(fd, key), "key: %m");
	fcntl(fd, F_SETFL, O_NONBLOCK);
	inet_connect(fd, AF_INET, "127.0.0.1", inet_port(listener));
	return poll(&p, 1, key ? 3000 : 100) == 1 && p.revents == POLLOUT ? fd : -1;
}

static uid_t owner(int fd)
{
	struct stat st;

	return fstat(fd, &st) ? (uid_t)-1 : st.st_uid;
}

static void set_up(void)
{
	tcp[0] = neighbour(SOCK_STREAM, 4301, 0);
	tcp[1] = neighbour(SOCK_STREAM, 4301, USER);
	udp[0] = neighbour(SOCK_DGRAM, 4302, 0);
	udp[1] = neighbour(SOCK_DGRAM, 4302, USER);
	for (int i = 0; i < 4; i++) {
		foreign[i] = far(i & 1 ? AF_INET6 : AF_INET, i & 2 ? SOCK_DGRAM : SOCK_STREAM);
		foreign_port[i] = inet_port(foreign[i]);
	}
	listener = inet_socket(AF_INET, SOCK_STREAM, 0);
	if (!set_key(listener, KEY))
		test_skip("this kernel has no TCP_MD5SIG");
	inet_bind(listener, AF_INET, "127.0.0.1", 0);
	need(!listen(listener, 4), "listen");
	client = connect_signed(KEY);
	need(client >= 0, "connect: %m");
	server = accept(listener, NULL, NULL);
	need(server >= 0, "accept");
	closed = inet_socket(AF_INET, SOCK_STREAM, 0);
	inet_bind(closed, AF_INET, "127.0.0.1", 0);
}

static void check_keys(void)
{
	int fd;
	char byte;

	check(send(client, "x", 1, 0) == 1 && recv(server, &byte, 1, 0) == 1, "the signed connection still works: %m");
	check(send(server, "y", 1, 0) == 1 && recv(client, &byte, 1, 0) == 1, "in the other direction: %m");
	fd = connect_signed(KEY);
	check(fd >= 0, "a client with the key is accepted");
	close(fd);
	fd = connect_signed(NULL);
	check(fd < 0, "a client without a key is not");
	/* The connection's own key: without it the other end's segments are rejected. */
	check(set_key(server, "another"), "another key: %m");
	check(send(client, "z", 1, 0) == 1, "send: %m");
	sleep_ms(50);
	check(recv(server, &byte, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN, "data signed with another key is received");
}

int main(int argc, char **argv)
{
	union inet_name name;
	socklen_t len;
	int brk;

	test_init(argc, argv);
	set_up();
	brk = checkpoint_here();
	if (brk == 1)
		need(!fchown(udp[1], 0, (gid_t)-1), "fchown");
	if (brk == 2)
		need(set_key(listener, ""), "no key: %m");

	check(owner(tcp[0]) == 0 && owner(tcp[1]) == USER, "TCP: owners %u and %u", owner(tcp[0]), owner(tcp[1]));
	check(owner(udp[0]) == 0 && owner(udp[1]) == USER, "UDP: owners %u and %u", owner(udp[0]), owner(udp[1]));
	check(inet_port(tcp[0]) == 4301 && inet_port(tcp[1]) == 4301 && inet_port(udp[0]) == 4302 &&
		      inet_port(udp[1]) == 4302,
	      "ports");
	check(inet_state(tcp[0]) == TCP_LISTEN && inet_state(tcp[1]) == TCP_LISTEN, "they listen");
	for (int i = 0; i < 4; i++) {
		char text[64] = "";

		len = sizeof(name);
		check(!getsockname(foreign[i], &name.any, &len), "name");
		inet_ntop(name.any.sa_family, i & 1 ? (void *)&name.v6.sin6_addr : (void *)&name.v4.sin_addr, text,
			  sizeof(text));
		check(!strcmp(text, i & 1 ? "2001:db8::7" : "192.0.2.7") && inet_port(foreign[i]) == foreign_port[i],
		      "%d: at %s", i, text);
		check(!inet_get(foreign[i], i & 1 ? IPPROTO_IPV6 : IPPROTO_IP, i & 1 ? 78 : IP_FREEBIND), "%d: option",
		      i);
	}
	check_keys();
	test_done();
}
