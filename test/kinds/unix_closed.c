// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sockets shut down in each direction, peers that are closed (with data left, with unread data), datagram sockets
 * connected to a closed one; new sockets.
 * test: breaks=1 decode=yes
 */
#include "checkpoint.h"
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

int main(int argc, char **argv)
{
	int wr[2], rd[2], dead[2], reset[2], dgram[2], seq[2], fresh, named, v;
	struct sockaddr_un a = { .sun_family = AF_UNIX, .sun_path = "named" };
	struct pollfd p;
	socklen_t len = sizeof(v);
	char buf[32];

	test_init(argc, argv);
	signal(SIGPIPE, SIG_IGN);
	need(!socketpair(AF_UNIX, SOCK_STREAM, 0, wr) && !socketpair(AF_UNIX, SOCK_STREAM, 0, rd) &&
		     !socketpair(AF_UNIX, SOCK_STREAM, 0, dead) && !socketpair(AF_UNIX, SOCK_STREAM, 0, reset) &&
		     !socketpair(AF_UNIX, SOCK_DGRAM, 0, dgram) && !socketpair(AF_UNIX, SOCK_SEQPACKET, 0, seq),
	     "pairs");
	check(write(wr[0], "last", 4) == 4 && !shutdown(wr[0], SHUT_WR), "wr");
	check(!shutdown(rd[0], SHUT_RD), "rd");
	check(write(dead[1], "testament", 9) == 9 && !close(dead[1]), "dead");
	check(write(reset[0], "unread", 6) == 6 && !close(reset[1]), "reset");
	check(write(dgram[1], "left", 4) == 4 && !close(dgram[1]), "dgram");
	check(write(seq[1], "se", 2) == 2 && write(seq[1], "quence", 6) == 6 && !close(seq[1]), "seq");
	fresh = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	named = socket(AF_UNIX, SOCK_STREAM, 0);
	need(!bind(named, (struct sockaddr *)&a, sizeof(a)), "bind");
	if (checkpoint_here())
		read(wr[1], buf, 1);
	check(read(wr[1], buf, 32) == 4 && !memcmp(buf, "last", 4) && !read(wr[1], buf, 32), "last");
	check(write(wr[0], "x", 1) < 0 && errno == EPIPE, "write after SHUT_WR");
	check(write(wr[1], "back", 4) == 4 && read(wr[0], buf, 32) == 4, "the other way");
	check(!read(rd[0], buf, 1), "read after SHUT_RD");
	check(write(rd[1], "x", 1) < 0 && errno == EPIPE, "write to SHUT_RD: %m");
	check(write(rd[0], "yes", 3) == 3 && read(rd[1], buf, 32) == 3, "the other way");
	p = (struct pollfd){ .fd = dead[0], .events = POLLIN };
	check(poll(&p, 1, 0) == 1 && p.revents == (POLLIN | POLLHUP), "poll %x", p.revents);
	check(read(dead[0], buf, 32) == 9 && !memcmp(buf, "testament", 9) && !read(dead[0], buf, 32), "testament");
	check(!getsockopt(reset[0], SOL_SOCKET, SO_ERROR, &v, &len) && v == ECONNRESET, "error %d", v);
	check(!read(reset[0], buf, 1), "reset");
	check(read(dgram[0], buf, 32) == 4 && !memcmp(buf, "left", 4), "left");
	check(write(dgram[0], "x", 1) < 0 && errno == ECONNREFUSED, "write to a closed peer: %m");
	check(write(dgram[0], "x", 1) < 0 && errno == ENOTCONN, "write again: %m");
	check(read(seq[0], buf, 32) == 2 && read(seq[0], buf, 32) == 6 && !read(seq[0], buf, 32), "sequence");
	check(fcntl(fresh, F_GETFL) == (O_RDWR | O_NONBLOCK), "flags");
	check(connect(fresh, (struct sockaddr *)&a, sizeof(a)) < 0 && errno == ECONNREFUSED, "connect without a "
											     "listener: %m");
	check(!listen(named, 1) && !connect(fresh, (struct sockaddr *)&a, sizeof(a)), "connect: %m");
	check(accept(named, NULL, NULL) >= 0, "accept: %m");
	test_done();
}
