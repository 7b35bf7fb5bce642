// SPDX-License-Identifier: GPL-2.0-only
/*
 * connections PORT COUNT: a server with COUNT connections, and their clients in a process outside its session. The
 * server prints "ready" and the clients' pid. One byte is echoed on each connection at the start, and again when the
 * clients receive SIGUSR1: they exit with 0 if every byte was echoed.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static struct sockaddr_in server_name = { .sin_family = AF_INET };

static void need(int good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "connections: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int serve(int listener, size_t n)
{
	struct pollfd *all = calloc(n, sizeof(*all));
	char byte;

	need(all != NULL, "memory");
	for (size_t i = 0; i < n; i++) {
		all[i] = (struct pollfd){ .fd = accept(listener, NULL, NULL), .events = POLLIN };
		need(all[i].fd >= 0, "accept");
	}
	for (;;) {
		need(poll(all, n, -1) > 0, "poll");
		for (size_t i = 0; i < n; i++)
			if (all[i].revents && (read(all[i].fd, &byte, 1) != 1 || write(all[i].fd, &byte, 1) != 1))
				return 1;
	}
}

static int talk(const int *fds, size_t n)
{
	char byte = 'x';

	for (size_t i = 0; i < n; i++)
		if (write(fds[i], &byte, 1) != 1)
			return 1;
	for (size_t i = 0; i < n; i++)
		if (read(fds[i], &byte, 1) != 1)
			return 1;
	return 0;
}

static int run_clients(size_t n, const char *ready)
{
	int *fds = calloc(n, sizeof(*fds)), sig;
	sigset_t set;

	need(fds != NULL, "memory");
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	for (size_t i = 0; i < n; i++) {
		fds[i] = socket(AF_INET, SOCK_STREAM, 0);
		need(fds[i] >= 0 && !connect(fds[i], (struct sockaddr *)&server_name, sizeof(server_name)), "connect");
	}
	need(!talk(fds, n), "talk");
	need(!rename(ready, "ready"), "rename");
	sigwait(&set, &sig);
	return talk(fds, n);
}

int main(int argc, char **argv)
{
	size_t n = argc > 2 ? strtoul(argv[2], NULL, 10) : 0;
	struct rlimit lim = { n + 100, n + 100 };
	int listener = socket(AF_INET, SOCK_STREAM, 0), on = 1;
	pid_t clients;
	FILE *f;

	need(n > 0, "usage: connections PORT COUNT");
	setrlimit(RLIMIT_NOFILE, &lim);
	server_name.sin_port = htons(strtoul(argv[1], NULL, 10));
	server_name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	need(!setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) &&
		     !bind(listener, (struct sockaddr *)&server_name, sizeof(server_name)) && !listen(listener, 4096),
	     "listen");
	clients = fork();
	need(clients >= 0, "fork");
	if (clients) {
		/* We are the clients; the child is saved, and killed by the dump: its pid must be free again. */
		signal(SIGCHLD, SIG_IGN);
		f = fopen("ready.new", "w");
		need(f && fprintf(f, "%d\n", clients) > 0 && !fclose(f), "ready");
		close(listener);
		return run_clients(n, "ready.new");
	}
	setsid();
	return serve(listener, n);
}
