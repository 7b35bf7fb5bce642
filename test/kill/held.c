/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * held MODE READYFILE [N]: has state that a dump changes temporarily, uses it all the time, and exits with a message in
 * READYFILE.wrong once it is wrong.
 *  pty    bytes queued in a raw terminal are read in the order in which they were written
 *  peek   packets are queued in a UNIX socket whose SO_PEEK_OFF was never set
 *  tcp    both ends of connections with queued bytes: none is ever in repair mode, data arrives in order
 *  crowd  N processes that only wait
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#define WAITING 800
#define PACKETS 2000
#define CONNECTIONS 40

static const char *ready_file;

static void wrong(const char *fmt, ...)
{
	char name[4096];
	va_list ap;
	FILE *f;

	snprintf(name, sizeof(name), "%s.wrong", ready_file);
	f = fopen(name, "w");
	va_start(ap, fmt);
	vfprintf(f, fmt, ap);
	va_end(ap);
	fclose(f);
	exit(1);
}

static void need(int good, const char *what)
{
	if (!good)
		wrong("%s: %m", what);
}

static void be_ready(void)
{
	int fd = open(ready_file, O_WRONLY | O_CREAT, 0600);

	need(fd >= 0, "ready");
	close(fd);
}

static void put_bytes(int fd, unsigned int *next, size_t n)
{
	unsigned char data[WAITING];

	for (size_t i = 0; i < n; i++)
		data[i] = 'a' + (*next)++ % 26;
	need(write(fd, data, n) == (ssize_t)n, "write");
}

static void get_bytes(int fd, unsigned int *next, size_t n)
{
	unsigned char data[WAITING];
	size_t done = 0;

	for (ssize_t got; done < n; done += got) {
		got = read(fd, data + done, n - done);
		need(got > 0, "read");
	}
	for (size_t i = 0; i < n; i++, (*next)++)
		if (data[i] != 'a' + *next % 26)
			wrong("byte %zu of %zu is %d, not %u", i, n, data[i], 'a' + *next % 26);
}

static void pty(void)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY), slave;
	unsigned int in = 0, out = 0;
	struct termios raw;

	need(master >= 0 && !grantpt(master) && !unlockpt(master), "pty");
	slave = open(ptsname(master), O_RDWR | O_NOCTTY);
	need(slave >= 0 && !tcgetattr(slave, &raw), "slave");
	cfmakeraw(&raw);
	need(!tcsetattr(slave, TCSANOW, &raw), "raw");
	put_bytes(master, &in, WAITING);
	in %= 26;
	be_ready();
	for (;; usleep(20)) {
		get_bytes(slave, &out, 26);
		put_bytes(master, &in, 26);
		in %= 26;
		out %= 26;
	}
}

static void peek(void)
{
	int ends[2], value;
	socklen_t len = sizeof(value);

	need(!socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), "socketpair");
	value = 16 << 20;
	setsockopt(ends[1], SOL_SOCKET, SO_SNDBUFFORCE, &value, sizeof(value));
	for (int i = 0; i < PACKETS; i++)
		if (send(ends[1], &i, sizeof(i), MSG_DONTWAIT) != sizeof(i))
			break;
	be_ready();
	for (;; usleep(20)) {
		need(!getsockopt(ends[0], SOL_SOCKET, SO_PEEK_OFF, &value, &len), "SO_PEEK_OFF");
		if (value != -1)
			wrong("SO_PEEK_OFF is %d", value);
	}
}

static void connect_pair(int ends[2])
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(at);
	int listener = socket(AF_INET, SOCK_STREAM, 0);

	ends[0] = socket(AF_INET, SOCK_STREAM, 0);
	need(!bind(listener, (struct sockaddr *)&at, len) && !listen(listener, 1) &&
		     !getsockname(listener, (struct sockaddr *)&at, &len) &&
		     !connect(ends[0], (struct sockaddr *)&at, len),
	     "connect");
	ends[1] = accept(listener, NULL, NULL);
	need(ends[1] >= 0, "accept");
	close(listener);
}

static void check_no_repair(int fd)
{
	int on = 0;
	socklen_t len = sizeof(on);

	need(!getsockopt(fd, SOL_TCP, TCP_REPAIR, &on, &len), "TCP_REPAIR");
	if (on)
		wrong("a connection is in repair mode");
}

static void tcp(void)
{
	static int pairs[CONNECTIONS][2];
	unsigned int in[CONNECTIONS] = { 0 }, out[CONNECTIONS] = { 0 };

	for (int i = 0; i < CONNECTIONS; i++) {
		connect_pair(pairs[i]);
		put_bytes(pairs[i][0], &in[i], WAITING);
		in[i] %= 26;
	}
	be_ready();
	for (int i = 0;; i = (i + 1) % CONNECTIONS) {
		check_no_repair(pairs[i][0]);
		check_no_repair(pairs[i][1]);
		get_bytes(pairs[i][1], &out[i], 26);
		put_bytes(pairs[i][0], &in[i], 26);
		in[i] %= 26;
		out[i] %= 26;
	}
}

static void crowd(int n)
{
	for (int i = 1; i < n; i++) {
		pid_t pid = fork();

		need(pid >= 0, "fork");
		if (!pid)
			for (;;)
				pause();
	}
	be_ready();
	for (;;)
		pause();
}

int main(int argc, char **argv)
{
	if (argc < 3)
		return 2;
	ready_file = argv[2];
	if (!strcmp(argv[1], "pty"))
		pty();
	else if (!strcmp(argv[1], "peek"))
		peek();
	else if (!strcmp(argv[1], "tcp"))
		tcp();
	else if (!strcmp(argv[1], "crowd") && argc > 3)
		crowd(atoi(argv[3]));
	return 2;
}
