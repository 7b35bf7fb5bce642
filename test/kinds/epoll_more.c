// SPDX-License-Identifier: GPL-2.0-only
/*
 * epoll on the rarer types (fanotify, message queue, tap device, nested), and such descriptors that are only in flight
 * in a socket: along with a file that has a lock, and an epoll.
 * test: flavours=host,pid net=own options=--file-locks restore-options=--file-locks breaks=2
 */
#include "checkpoint.h"
#include "epoll.h"
#include <linux/if_tun.h>
#include <mqueue.h>
#include <net/if.h>
#include <sys/fanotify.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#define FLIGHT 6
static int flight[2];

static void pass(int sock, int *fds, bool out)
{
	char c[CMSG_SPACE(FLIGHT * sizeof(int))] = "", byte = 'x';
	struct iovec iov = { &byte, 1 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = c, .msg_controllen = sizeof(c) };
	struct cmsghdr *h = CMSG_FIRSTHDR(&m);

	if (out) {
		h->cmsg_level = SOL_SOCKET;
		h->cmsg_type = SCM_RIGHTS;
		h->cmsg_len = CMSG_LEN(FLIGHT * sizeof(int));
		memcpy(CMSG_DATA(h), fds, FLIGHT * sizeof(int));
		need(sendmsg(sock, &m, 0) == 1, "sendmsg");
		return;
	}
	need(recvmsg(sock, &m, MSG_DONTWAIT) == 1, "recvmsg");
	h = CMSG_FIRSTHDR(&m);
	need(h && h->cmsg_type == SCM_RIGHTS && h->cmsg_len == CMSG_LEN(FLIGHT * sizeof(int)), "descriptors");
	memcpy(fds, CMSG_DATA(h), FLIGHT * sizeof(int));
}

static int tap(void)
{
	struct ifreq ifr = { .ifr_name = "tap7", .ifr_flags = IFF_TAP | IFF_NO_PI };
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK);

	if (fd < 0)
		test_skip("no /dev/net/tun");
	need(!ioctl(fd, TUNSETIFF, &ifr), "TUNSETIFF");
	return fd;
}

int main(int argc, char **argv)
{
	int ep, outer, fan, ino, tun, locked, fds[FLIGHT], brk;
	struct epoll_event e = { .events = EPOLLIN, .data.u64 = 9 };
	struct ifreq ifr = { 0 };
	mqd_t queue;

	test_init(argc, argv);
	write_file("file", "x");
	write_file("locked", "x");
	write_file("flies", "x");
	ep = epoll_create1(0);
	outer = epoll_create1(0);
	tun = tap();
	fan = fanotify_init(FAN_CLASS_NOTIF | FAN_NONBLOCK, O_RDONLY);
	queue = mq_open("/queue", O_CREAT | O_RDWR | O_NONBLOCK, 0600, NULL);
	if (fan < 0 || queue < 0)
		test_skip("this kernel lacks fanotify or message queues");
	need(!fanotify_mark(fan, FAN_MARK_ADD, FAN_CLOSE_WRITE, AT_FDCWD, "file"), "mark");
	add(ep, fan, EPOLLIN, 1);
	add(ep, queue, EPOLLIN, 2);
	add(ep, tun, EPOLLIN, 3);
	add(outer, ep, EPOLLIN, 4);
	/* In flight, and not open anywhere: all but the queue and the lock. */
	need(!socketpair(AF_UNIX, SOCK_DGRAM, 0, flight), "socketpair");
	ino = inotify_init1(IN_NONBLOCK);
	need(inotify_add_watch(ino, "flies", IN_ATTRIB) == 1, "watch");
	locked = open("locked", O_RDWR);
	need(!flock(locked, LOCK_EX | LOCK_NB), "lock");
	fds[0] = ino;
	fds[1] = fanotify_init(FAN_CLASS_NOTIF | FAN_NONBLOCK, O_RDONLY);
	need(!fanotify_mark(fds[1], FAN_MARK_ADD, FAN_CLOSE_WRITE, AT_FDCWD, "flies"), "mark");
	fds[2] = queue;
	fds[3] = open("/proc/self/ns/uts", O_RDONLY);
	fds[4] = locked;
	fds[5] = epoll_create1(0);
	add(fds[5], queue, EPOLLIN, 6);
	pass(flight[0], fds, true);
	close(ino);
	close(fds[1]);
	close(fds[3]);
	close(fds[5]);

	brk = checkpoint_here();
	if (brk == 1)
		epoll_ctl(ep, EPOLL_CTL_DEL, fan, NULL);
	if (brk == 2)
		epoll_ctl(ep, EPOLL_CTL_MOD, queue, &e);

	check(!reported(ep) && !reported(outer), "spurious event");
	write_file("file", "y");
	check(reported(ep) == 1 << 1 && reported(outer) == 1 << 4, "fanotify");
	check(!mq_send(queue, "m", 1, 0) && reported(ep) == (1 << 1 | 1 << 2), "message queue: %#lx", reported(ep));
	check(epoll_ctl(ep, EPOLL_CTL_DEL, tun, NULL) == 0 && !ioctl(tun, TUNGETIFF, &ifr) &&
		      !strcmp(ifr.ifr_name, "tap7"),
	      "tap: %s", ifr.ifr_name);
	pass(flight[1], fds, false);
	check(reported(fds[5]) == 1 << 6, "the epoll from the socket");
	chmod("flies", 0600);
	check(read(fds[0], (char[256]){ 0 }, 256) == sizeof(struct inotify_event), "inotify");
	write_file("flies", "y");
	check(read(fds[1], (char[256]){ 0 }, 256) == FAN_EVENT_METADATA_LEN, "fanotify");
	check(mq_receive(fds[2], (char[8192]){ 0 }, 8192, NULL) == 1, "the queue");
	close(locked);
	locked = open("locked", O_RDWR);
	check(flock(locked, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK, "the lock is not the one from the socket");
	close(fds[4]);
	check(!flock(locked, LOCK_EX | LOCK_NB), "another holder of the lock");
	test_done();
}
