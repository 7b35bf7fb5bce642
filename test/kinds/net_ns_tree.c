// SPDX-License-Identifier: GPL-2.0-only
/*
 * Network namespaces of processes of one tree: the root's own, one of a child and its child, that of the rest of the
 * system. The same ports and abstract names are used in all of them. Connections, queued data; sockets that are in another
 * namespace than their process.
 * test: net=own options=--tcp-established restore-options=--tcp-established breaks=3 decode=yes
 */
#include "inet.h"
#include "net_show.h"
#include <linux/if_packet.h>
#include <linux/netlink.h>
#include <net/ethernet.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/un.h>

#define SIOCGSKNS_ 0x894c
#define PORT 4711

/* Inodes of namespaces change with a restore. */
static ino_t of_process(pid_t pid)
{
	struct stat st = { 0 };
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/ns/net", pid);
	need(!stat(path, &st), "namespace of process %d", pid);
	return st.st_ino;
}

static ino_t own(void)
{
	return of_process(getpid());
}

static ino_t ns_of(int fd)
{
	int ns = ioctl(fd, SIOCGSKNS_);
	struct stat st = { 0 };

	need(ns >= 0 && !fstat(ns, &st), "namespace of descriptor %d", fd);
	close(ns);
	return st.st_ino;
}

/* Of the namespace that it was made in. */
struct sockets {
	int listener, client, server, udp, packet, netlink, bound, sender, pair[2];
	const char *text;
};

static void make(struct sockets *s, const char *text, int port)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX, .sun_path = "\0the same name" };
	socklen_t len = offsetof(struct sockaddr_un, sun_path) + 14;

	s->text = text;
	name.sun_path[1] += port - PORT;
	s->listener = inet_socket(AF_INET, SOCK_STREAM, 0);
	inet_bind(s->listener, AF_INET, "127.0.0.1", port);
	need(!listen(s->listener, 5), "listen");
	s->client = inet_socket(AF_INET, SOCK_STREAM, 0);
	need(!inet_connect(s->client, AF_INET, "127.0.0.1", port), "connect");
	s->server = accept(s->listener, NULL, NULL);
	need(s->server >= 0 && write(s->client, text, strlen(text)) > 0, "accept");
	s->udp = inet_socket(AF_INET6, SOCK_DGRAM, 0);
	inet_bind(s->udp, AF_INET6, "::1", port);
	need(!inet_connect(s->udp, AF_INET6, "::1", port) && write(s->udp, text, strlen(text)) > 0, "udp");
	s->packet = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_LOOPBACK));
	s->netlink = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
	s->bound = socket(AF_UNIX, SOCK_DGRAM, 0);
	need(!bind(s->bound, (struct sockaddr *)&name, len), "bind");
	s->sender = socket(AF_UNIX, SOCK_DGRAM, 0);
	need(!connect(s->sender, (struct sockaddr *)&name, len) && write(s->sender, text, strlen(text)) > 0, "unix");
	need(!socketpair(AF_UNIX, SOCK_STREAM, 0, s->pair), "socketpair");
}

static void check_read(int fd, const char *text, const char *what)
{
	char got[64] = "";
	ssize_t n = recv(fd, got, sizeof(got) - 1, MSG_DONTWAIT);

	check(n == (ssize_t)strlen(text) && !strcmp(got, text), "%s of %s: %zd bytes: %s", what, text, n, got);
}

static void check_all(const struct sockets *s, ino_t ns)
{
	const int fds[] = { s->listener, s->client, s->server, s->udp,	   s->packet,
			    s->netlink,	 s->bound,  s->sender, s->pair[0], s->pair[1] };

	for (size_t i = 0; i < sizeof(fds) / sizeof(*fds); i++)
		check(ns_of(fds[i]) == ns, "socket %zu of %s is in another namespace", i, s->text);
	check_read(s->server, s->text, "tcp");
	check_read(s->udp, s->text, "udp");
	check_read(s->bound, s->text, "unix");
	check(write(s->server, "back", 4) == 4, "write");
	check_read(s->client, "back", "tcp");
	check(write(s->sender, "more", 4) == 4, "write");
	check_read(s->bound, "more", "unix");
	check(write(s->pair[0], "pair", 4) == 4, "write");
	check_read(s->pair[1], "pair", "pair");
}

static int grandchild(void *arg)
{
	checkpoint_task("grandchild", 0);
	check(own() == of_process(getppid()), "it is in another namespace");
	return 0;
}

static int child(void *arg)
{
	struct sockets here, before;
	pid_t pid;

	make(&before, "root's, in the child", PORT + 1);
	need(!unshare(CLONE_NEWNET), "unshare");
	net_do("ip link set lo up; ip addr add 10.3.3.3/8 dev lo");
	make(&here, "child's", PORT);
	pid = fork_task(grandchild, NULL);
	checkpoint_task("child", 0);
	if (test_break() == 3)
		net_do("ip addr del 10.3.3.3/8 dev lo");
	check(own() != of_process(getppid()), "it is in the namespace of the root");
	check_all(&here, own());
	check_all(&before, of_process(getppid()));
	net_do("ip addr show dev lo | grep -q 10.3.3.3");
	join_task(pid);
	return 0;
}

static int in_outer(void *arg)
{
	int outer = *(int *)arg;
	struct sockets here;
	struct stat st;

	need(!fstat(outer, &st) && !setns(outer, CLONE_NEWNET), "setns");
	make(&here, "outer", PORT);
	checkpoint_task("outer", 0);
	check(own() == st.st_ino, "it is in another namespace");
	check_all(&here, st.st_ino);
	return 0;
}

int main(int argc, char **argv)
{
	int outer, brk;
	struct sockets here;
	struct stat st;
	pid_t pids[2];

	test_init(argc, argv);
	net_need_tools();
	outer = open("/proc/self/ns/net", O_RDONLY);
	need(!fstat(outer, &st), "namespace");
	need(!unshare(CLONE_NEWNET), "unshare");
	net_do("ip link set lo up; ip addr add 10.2.2.2/8 dev lo");
	pids[0] = fork_task(child, NULL);
	await_task("child");
	await_task("grandchild");
	make(&here, "root's", PORT);
	pids[1] = fork_task(in_outer, &outer);
	await_task("outer");

	brk = checkpoint_here();
	if (brk == 1)
		read(here.server, (char[1]){ 0 }, 1);
	if (brk == 2)
		unshare(CLONE_NEWNET);

	check(!fstat(outer, &st) && own() != st.st_ino, "in the outer namespace");
	check_all(&here, own());
	for (int i = 0; i < 2; i++)
		join_task(pids[i]);
	test_done();
}
