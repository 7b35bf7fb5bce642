// SPDX-License-Identifier: GPL-2.0-only
/*
 * Urgent data (MSG_OOB): unread, read, at the mark, inline, in front of a FIN, and in flight. Each byte is where it
 * was, and is read by the same call as before. No process gets another signal.
 * test: flavours=host,net net=own options=--tcp-established restore-options=--tcp-established breaks=2 decode=yes
 */
#include "checkpoint.h"
#include "inet.h"
#include <poll.h>
#include <sys/ioctl.h>

struct pair {
	int client, server;
};

static int listener;
static volatile sig_atomic_t signals;

static void count(int sig)
{
	(void)sig;
	signals++;
}

static struct pair make(int family, int room)
{
	const char *host = family == AF_INET ? "127.0.0.1" : "::1";
	int l = inet_socket(family, SOCK_STREAM, 0);
	struct pair p;

	if (room)
		inet_set(l, SOL_SOCKET, SO_RCVBUF, room);
	inet_bind(l, family, host, 0);
	need(!listen(l, 4), "listen");
	p.client = inet_socket(family, SOCK_STREAM, 0);
	need(!inet_connect(p.client, family, host, inet_port(l)), "connect");
	p.server = accept(l, NULL, NULL);
	need(p.server >= 0, "accept");
	close(l);
	return p;
}

static void await_urgent(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLPRI };

	need(poll(&p, 1, 3000) == 1 && (p.revents & POLLPRI), "no urgent data arrives");
}

static void await_bytes(int fd, int n)
{
	int got = 0;

	for (int i = 0; i < 3000 && got < n; i++) {
		ioctl(fd, FIONREAD, &got);
		sleep_ms(1);
	}
	need(got >= n, "only %d bytes of %d arrive", got, n);
}

/* "ab", urgent "U", "cd"; SIOCINQ counts up to the mark only. */
static void send_text(const struct pair *p, const char *before, const char *behind)
{
	if (before[0])
		need(send(p->client, before, strlen(before), 0) == (ssize_t)strlen(before), "send");
	need(send(p->client, "U", 1, MSG_OOB) == 1, "send urgent");
	if (behind[0])
		need(send(p->client, behind, strlen(behind), 0) == (ssize_t)strlen(behind), "send");
	await_urgent(p->server);
	if (before[0])
		await_bytes(p->server, (int)strlen(before));
}

static void expect_text(int fd, const char *want, const char *what)
{
	char got[16] = "";
	ssize_t n = recv(fd, got, sizeof(got) - 1, MSG_DONTWAIT);

	check(n == (ssize_t)strlen(want) && !strcmp(got, want), "%s: read '%s' (%zd), not '%s': %m", what, got, n,
	      want);
}

static void expect_urgent(int fd, char want, const char *what)
{
	char byte = 0;
	ssize_t n = recv(fd, &byte, 1, MSG_OOB | MSG_DONTWAIT);

	check(want ? n == 1 && byte == want : n < 0 && errno == EINVAL, "%s: urgent: %zd '%c': %m", what, n, byte);
}

static int at_mark(int fd)
{
	int at = -1;

	ioctl(fd, SIOCATMARK, &at);
	return at;
}

static void expect_end(int fd, const char *what)
{
	char byte;

	check(!recv(fd, &byte, 1, MSG_DONTWAIT), "%s: no end of file: %m", what);
}

/* The receiver's window is full: the urgent byte remains in the sender's queue. */
static size_t fill_up(const struct pair *p)
{
	static char block[4096];
	size_t sum = 0;
	int unsent = 0;

	memset(block, 'x', sizeof(block));
	/* Data that is not sent now will not be sent later: the window is checked after the last acknowledgement. */
	for (int quiet = 0; quiet<20; quiet = unsent> 16384 ? quiet + 1 : 0) {
		if (unsent <= 16384) {
			need(send(p->client, block, sizeof(block), MSG_DONTWAIT) == sizeof(block), "send: %m");
			sum += sizeof(block);
		}
		sleep_ms(2);
		need(!ioctl(p->client, 0x894B /* SIOCOUTQNSD */, &unsent), "SIOCOUTQNSD");
	}
	return sum;
}

static void drain(const struct pair *p, size_t sum)
{
	char block[4096];
	struct pollfd r = { .fd = p->server, .events = POLLIN };
	size_t got = 0, marked = 0;
	ssize_t n;

	while (got < sum && poll(&r, 1, 5000) == 1 && (n = recv(p->server, block, sizeof(block), MSG_DONTWAIT)) > 0)
		got += (size_t)n;
	check(got == sum, "in flight: %zu bytes, not %zu", got, sum);
	await_urgent(p->server);
	marked = (size_t)at_mark(p->server);
	check(marked == 1, "in flight: at the mark: %zu", marked);
	expect_urgent(p->server, 'V', "on its way");
	r.revents = 0;
	poll(&r, 1, 3000);
	expect_text(p->server, "yz", "on its way, then");
}

int main(int argc, char **argv)
{
	struct pair plain, mark, consumed, inlined, six, ending, first, moving;
	size_t sum;
	char byte;
	int brk;

	test_init(argc, argv);
	signal(SIGURG, count);
	listener = inet_socket(AF_INET, SOCK_STREAM, 0);
	plain = make(AF_INET, 0);
	send_text(&plain, "ab", "cd");
	mark = make(AF_INET, 0);
	send_text(&mark, "ab", "cd");
	need(recv(mark.server, (char[8]){ 0 }, 8, 0) == 2 && at_mark(mark.server) == 1, "at the mark");
	consumed = make(AF_INET, 0);
	send_text(&consumed, "ab", "cd");
	need(recv(consumed.server, &byte, 1, MSG_OOB) == 1 && recv(consumed.server, (char[8]){ 0 }, 8, 0) == 2,
	     "taken");
	inlined = make(AF_INET, 0);
	inet_set(inlined.server, SOL_SOCKET, SO_OOBINLINE, 1);
	send_text(&inlined, "ab", "cd");
	six = make(AF_INET6, 0);
	send_text(&six, "ab", "cd");
	ending = make(AF_INET, 0);
	send_text(&ending, "ab", "");
	need(!shutdown(ending.client, SHUT_WR), "shutdown");
	for (int i = 0; i < 2000 && inet_state(ending.server) != TCP_CLOSE_WAIT; i++)
		sleep_ms(1);
	first = make(AF_INET, 0);
	need(!fcntl(first.server, F_SETOWN, getpid()), "own");
	send_text(&first, "", "cd");
	need(signals == 1, "%d signals", signals);
	moving = make(AF_INET, 8192);
	sum = fill_up(&moving);
	need(send(moving.client, "V", 1, MSG_OOB) == 1 && send(moving.client, "yz", 2, 0) == 2, "send urgent: %m");

	brk = checkpoint_here();
	if (brk == 1)
		recv(plain.server, &byte, 1, 0);
	if (brk == 2)
		recv(inlined.server, &byte, 1, 0);

	expect_text(plain.server, "ab", "plain");
	check(at_mark(plain.server) == 1, "plain: at the mark");
	expect_urgent(plain.server, 'U', "plain");
	expect_text(plain.server, "cd", "plain, then");
	check(at_mark(mark.server) == 1, "mark");
	expect_text(mark.server, "cd", "mark");
	check(at_mark(consumed.server) == 1, "taken: at the mark");
	expect_urgent(consumed.server, 0, "taken");
	expect_text(consumed.server, "cd", "taken");
	expect_text(inlined.server, "ab", "inline");
	check(at_mark(inlined.server) == 1, "inline: at the mark");
	expect_text(inlined.server, "Ucd", "inline, then");
	expect_urgent(six.server, 'U', "six");
	expect_text(six.server, "ab", "six");
	expect_text(six.server, "cd", "six, then");
	expect_urgent(ending.server, 'U', "ending");
	expect_text(ending.server, "ab", "ending");
	expect_end(ending.server, "ending");
	check(at_mark(first.server) == 1, "first: at the mark");
	expect_urgent(first.server, 'U', "first");
	expect_text(first.server, "cd", "first");
	check(signals == 1 && fcntl(first.server, F_GETOWN) == getpid(), "%d signals, to %d", signals,
	      fcntl(first.server, F_GETOWN));
	drain(&moving, sum);
	check(send(plain.client, "on", 2, 0) == 2, "still works: %m");
	await_bytes(plain.server, 2);
	expect_text(plain.server, "on", "still works");
	test_done();
}
