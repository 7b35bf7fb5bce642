// SPDX-License-Identifier: GPL-2.0-only
/*
 * epoll: targets of each type, level, edge, one-shot (disarmed and not), nested, a target under a closed number, many.
 * test: flavours=host,container breaks=3 decode=yes
 */
#include "checkpoint.h"
#include "epoll.h"
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>

int main(int argc, char **argv)
{
	int level, edge, shot, nested, inner, types, closed, ev[6], pipes[2], brk, tfd, sfd, ifd, fifo, ptm, pidfd,
		high, dupfd;
	struct epoll_event e = { .events = EPOLLIN | EPOLLONESHOT, .data.u64 = 6 };
	sigset_t set;

	test_init(argc, argv);
	for (int i = 0; i < 6; i++)
		need((ev[i] = eventfd(i % 2, EFD_NONBLOCK)) >= 0, "eventfd");
	level = epoll_create1(EPOLL_CLOEXEC);
	edge = epoll_create1(0);
	shot = epoll_create1(0);
	nested = epoll_create1(0);
	inner = epoll_create1(0);
	types = epoll_create1(0);
	closed = epoll_create1(0);
	for (int i = 0; i < 6; i++)
		add(level, ev[i], EPOLLIN, i);
	add(edge, ev[1], EPOLLIN | EPOLLET, 1);
	add(edge, ev[3], EPOLLIN | EPOLLET | EPOLLRDHUP, 3);
	need(reported(edge) == 0xa, "edge-triggered");
	add(shot, ev[1], EPOLLIN | EPOLLONESHOT, 1);
	add(shot, ev[3], EPOLLIN | EPOLLONESHOT | EPOLLET, 3);
	need(reported(shot) == 0xa && !reported(shot), "one-shot");
	add(shot, ev[5], EPOLLIN | EPOLLONESHOT, 5);
	add(inner, ev[1], EPOLLIN, 1);
	add(nested, inner, EPOLLIN, 7);

	need(!pipe(pipes), "pipe");
	add(types, pipes[0], EPOLLIN, 1);
	add(types, pipes[1], EPOLLOUT, 2);
	tfd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
	add(types, tfd, EPOLLIN, 3);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	sfd = signalfd(-1, &set, SFD_NONBLOCK);
	add(types, sfd, EPOLLIN, 4);
	ifd = inotify_init1(IN_NONBLOCK);
	need(!mkdir("watched", 0700) && inotify_add_watch(ifd, "watched", IN_CREATE) > 0, "watch");
	add(types, ifd, EPOLLIN, 5);
	need(!mkfifo("fifo", 0600), "mkfifo");
	fifo = open("fifo", O_RDWR | O_NONBLOCK);
	add(types, fifo, EPOLLIN, 6);
	ptm = open("/dev/ptmx", O_RDWR | O_NOCTTY);
	add(types, ptm, EPOLLIN, 8);
	pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0);
	add(types, pidfd, EPOLLIN, 9);
	high = fcntl(ev[0], F_DUPFD, 900);
	add(types, high, EPOLLIN, 10);
	add(types, ev[0], EPOLLIN | EPOLLEXCLUSIVE, 11);
	/* registered under a number closed since; the open file lives on through a dup */
	dupfd = dup(ev[3]);
	add(closed, ev[3], EPOLLIN, 12);

	brk = checkpoint_here();
	if (brk == 1)
		epoll_ctl(level, EPOLL_CTL_DEL, ev[5], NULL);
	if (brk == 2)
		epoll_ctl(shot, EPOLL_CTL_MOD, ev[1], &e);
	if (brk == 3)
		eventfd_write(ev[1], 1);

	check(fcntl(level, F_GETFD) == FD_CLOEXEC, "close on exec");
	check(reported(level) == 0x2a, "level: %#lx", reported(level));
	if (brk == 3)
		check(!reported(edge), "edge");
	reported(edge); /* whether an edge that was reported is reported again after a restore is up to the kernel */
	eventfd_write(ev[3], 1);
	check(reported(edge) == 8 && !reported(edge), "a new edge");
	check(reported(shot) == 1 << 5, "one shot: the two disarmed ones report");
	e.data.u64 = 1;
	check(!epoll_ctl(shot, EPOLL_CTL_MOD, ev[1], &e) && reported(shot) == 2, "one shot, rearmed");
	check(!epoll_ctl(shot, EPOLL_CTL_MOD, ev[3], &e) && !epoll_ctl(shot, EPOLL_CTL_DEL, ev[5], NULL),
	      "one shot: targets");
	check(reported(nested) == 1 << 7 && reported(inner) == 2, "nested");
	check(reported(types) == 1 << 2, "types: %#lx", reported(types));
	write_file("watched/new", "");
	check(write(pipes[1], "x", 1) == 1, "write");
	timerfd_settime(tfd, 0, &(struct itimerspec){ .it_value = { .tv_nsec = 1 } }, NULL);
	raise(SIGUSR1);
	check(write(fifo, "x", 1) == 1, "write to the fifo");
	eventfd_write(ev[0], 1);
	sleep_ms(5);
	check((reported(types) & 0xfff) == (1 << 1 | 1 << 2 | 1 << 3 | 1 << 4 | 1 << 5 | 1 << 6 | 1 << 10 | 1 << 11),
	      "all: %#lx", reported(types));
	check(reported(closed) == 1 << 12, "dup");
	check(dupfd >= 0 && epoll_ctl(types, EPOLL_CTL_ADD, high, &e) < 0 && errno == EEXIST,
	      "target under its number");
	test_done();
}
