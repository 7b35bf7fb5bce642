// SPDX-License-Identifier: GPL-2.0-only
/*
 * Urgent data in a connection that is not accepted yet.
 * test: net=own options=--tcp-established refused=to.127.0.0.1:4500.are.not.accepted.yet.*urgent.data
 */
#include "checkpoint.h"
#include "inet.h"
#include <poll.h>
#include <sys/ioctl.h>

int main(int argc, char **argv)
{
	int listener = inet_socket(AF_INET, SOCK_STREAM, 0), client = inet_socket(AF_INET, SOCK_STREAM, 0), server;
	char got[8];
	int left = 1;

	test_init(argc, argv);
	inet_bind(listener, AF_INET, "127.0.0.1", 4500);
	need(!listen(listener, 4), "listen");
	need(!inet_connect(client, AF_INET, "127.0.0.1", 4500), "connect");
	need(send(client, "ab", 2, 0) == 2 && send(client, "U", 1, MSG_OOB) == 1, "send");
	for (int i = 0; i < 3000 && (ioctl(client, TIOCOUTQ, &left) < 0 || left); i++)
		sleep_ms(1);
	if (checkpoint_here())
		close(listener);
	server = accept(listener, NULL, NULL);
	check(recv(server, got, 1, MSG_OOB) == 1 && got[0] == 'U', "urgent: %m");
	check(recv(server, got, sizeof(got), MSG_DONTWAIT) == 2, "ab: %m");
	test_done();
}
