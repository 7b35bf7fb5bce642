// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sockets of a tree in a user namespace of its own, but in the network of the machine, that only a process with more rights could
 * create again: each is named.
 * test: net=own refused="(?s)(?=.*a raw socket: to restore it)(?=.*bound to a port of root's: to restore it)(?=.*a mark .SO_MARK.: to restore it)(?=.*packet: to restore it)(?=.*datagrams that were not read yet: to restore it)"
 */
#include "checkpoint.h"
#include <arpa/inet.h>
#include <netpacket/packet.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/socket.h>

static int entered[2];

static int map_ids(void *arg)
{
	char path[64], c;

	need(read(entered[0], &c, 1) == 1, "the parent is in its namespace");
	snprintf(path, sizeof(path), "/proc/%d/uid_map", getppid());
	write_file(path, "0 100000 65536\n");
	snprintf(path, sizeof(path), "/proc/%d/gid_map", getppid());
	write_file(path, "0 100000 65536\n");
	return 0;
}

static int bound(int port)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = htons(port) };
	int sock = socket(AF_INET, SOCK_DGRAM, 0);

	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	need(sock >= 0 && !bind(sock, (struct sockaddr *)&sin, sizeof(sin)), "bind to port %d: %m", port);
	return sock;
}

int main(int argc, char **argv)
{
	struct sockaddr_in to = { 0 };
	socklen_t len = sizeof(to);
	int raw, packet, marked, low, unread;
	pid_t mapper;

	test_init(argc, argv);
	raw = socket(AF_INET, SOCK_RAW, IPPROTO_UDP);
	packet = socket(AF_PACKET, SOCK_DGRAM, 0);
	marked = socket(AF_INET, SOCK_DGRAM, 0);
	low = bound(77);
	unread = bound(0);
	need(raw >= 0 && packet >= 0 && !setsockopt(marked, SOL_SOCKET, SO_MARK, &(int){ 3 }, sizeof(int)),
	     "sockets: %m");
	need(!getsockname(unread, (struct sockaddr *)&to, &len) &&
		     sendto(low, "x", 1, 0, (struct sockaddr *)&to, len) == 1,
	     "datagram: %m");
	need(!pipe(entered), "pipe");
	mapper = fork_task(map_ids, NULL);
	if (unshare(CLONE_NEWUSER))
		test_skip("no user namespaces");
	need(write(entered[1], "x", 1) == 1, "pipe");
	join_task(mapper);
	close(entered[0]);
	close(entered[1]);
	need(!setresgid(0, 0, 0) && !setresuid(0, 0, 0) && !prctl(PR_SET_DUMPABLE, 1), "ids");
	checkpoint_here();
	test_done();
}
