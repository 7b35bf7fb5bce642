// SPDX-License-Identifier: GPL-2.0-only
/*
 * The urgent byte has been read, and the data in front of it has not: the amount of data after it is unknown.
 * test: net=own options=--tcp-established refused=connection.from.127.0.0.1:4200.*MSG_OOB.*read.on
 */
#include "checkpoint.h"
#include "inet.h"
#include <poll.h>
#include <sys/ioctl.h>

int main(int argc, char **argv)
{
	int listener = inet_socket(AF_INET, SOCK_STREAM, 0), client = inet_socket(AF_INET, SOCK_STREAM, 0), server;
	struct pollfd p = { .events = POLLPRI };
	char got[8];
	int left;

	test_init(argc, argv);
	inet_bind(listener, AF_INET, "127.0.0.1", 4200);
	need(!listen(listener, 4), "listen");
	need(!inet_connect(client, AF_INET, "127.0.0.1", 4200), "connect");
	server = p.fd = accept(listener, NULL, NULL);
	need(send(client, "ab", 2, 0) == 2 && send(client, "U", 1, MSG_OOB) == 1 && send(client, "cd", 2, 0) == 2,
	     "send");
	need(poll(&p, 1, 3000) == 1 && recv(server, got, 1, MSG_OOB) == 1, "urgent");
	/* All data in flight has arrived. */
	for (int i = 0; i < 3000 && (ioctl(client, TIOCOUTQ, &left) < 0 || left); i++)
		sleep_ms(1);
	if (checkpoint_here())
		close(server);
	check(recv(server, got, sizeof(got), MSG_DONTWAIT) == 2 && !memcmp(got, "ab", 2), "ab: %m");
	check(recv(server, got, sizeof(got), MSG_DONTWAIT) == 2 && !memcmp(got, "cd", 2), "cd: %m");
	test_done();
}
