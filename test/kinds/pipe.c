// SPDX-License-Identifier: GPL-2.0-only
/*
 * Content, size, flags, packets, ends in several tasks, closed ends.
 * test: breaks=3 decode=yes user-root=host
 */
#include "checkpoint.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

static int shared[2];

static int child(void *arg)
{
	char buf[64] = "";

	close(shared[1]);
	checkpoint_task("child", 0);
	for (ssize_t got, len = 0; len < 12 && (got = read(shared[0], buf + len, sizeof(buf) - len)) > 0; len += got)
		;
	check(!strcmp(buf, "before after"), "child reads %.20s", buf);
	return 0;
}

static int waiting(int fd)
{
	int n = -1;

	ioctl(fd, FIONREAD, &n);
	return n;
}

int main(int argc, char **argv)
{
	int plain[2], packet[2], big[2], no_writer[2], no_reader[2], empty[2], full[2], brk;
	static char huge[1 << 20];
	char buf[8192];
	long filled = 0, got;
	pid_t pid;

	test_init(argc, argv);
	signal(SIGPIPE, SIG_IGN);
	need(!pipe2(plain, O_NONBLOCK) && !pipe2(packet, O_DIRECT | O_CLOEXEC) && !pipe(big) && !pipe(no_writer) &&
		     !pipe(no_reader) && !pipe(empty) && !pipe2(full, O_NONBLOCK) && !pipe(shared),
	     "pipes");
	need(write(plain[1], "content", 7) == 7, "write");
	need(write(packet[1], "one", 3) == 3 && write(packet[1], "second", 6) == 6 && write(packet[1], "3", 1) == 1,
	     "packets");
	need(fcntl(big[1], F_SETPIPE_SZ, sizeof(huge)) == sizeof(huge), "size");
	fill(huge, sizeof(huge), 1);
	need(write(big[1], huge, sizeof(huge)) == sizeof(huge), "fill 1M");
	need(write(no_writer[1], "last words", 10) == 10 && !close(no_writer[1]), "no writer");
	need(write(no_reader[1], "lost", 4) == 4 && !close(no_reader[0]), "no reader");
	need(fcntl(empty[0], F_SETPIPE_SZ, 4096) == 4096, "size of empty");
	while ((got = write(full[1], huge, 1000)) > 0)
		filled += got;
	pid = fork_task(child, NULL);
	await_task("child");
	need(write(shared[1], "before", 6) == 6, "write to the child");

	brk = checkpoint_here();
	if (brk == 1)
		check(read(plain[0], buf, 1) == 1, "break");
	if (brk == 2)
		check(read(packet[0], buf, 64) == 3, "break");
	if (brk == 3)
		check(write(empty[1], "x", 1) == 1, "break");

	check(read(plain[0], buf, 64) == 7 && !memcmp(buf, "content", 7), "plain content");
	check(read(plain[0], buf, 64) < 0 && errno == EAGAIN, "plain has more");
	check(fcntl(packet[0], F_GETFD) == FD_CLOEXEC, "close on exec");
	check(fcntl(packet[1], F_GETFL) & O_DIRECT, "packet mode of the writer");
	check(read(packet[0], buf, 64) == 3 && read(packet[0], buf, 64) == 6 && read(packet[0], buf, 64) == 1,
	      "packets");
	check(write(packet[1], "ab", 2) == 2 && write(packet[1], "cd", 2) == 2 && read(packet[0], buf, 64) == 2,
	      "new packets");
	check(fcntl(big[0], F_GETPIPE_SZ) == sizeof(huge), "size %d", fcntl(big[0], F_GETPIPE_SZ));
	check(waiting(big[0]) == sizeof(huge), "big contains %d", waiting(big[0]));
	memset(huge, 0, sizeof(huge));
	for (size_t at = 0; at < sizeof(huge); at += got)
		need((got = read(big[0], huge + at, sizeof(huge) - at)) > 0, "read at %zu", at);
	check(!wrong(huge, sizeof(huge), 1), "big content wrong at %zu", wrong(huge, sizeof(huge), 1));
	check(read(no_writer[0], buf, 64) == 10 && !read(no_writer[0], buf, 64), "content, then EOF");
	check(write(no_reader[1], "x", 1) < 0 && errno == EPIPE, "a pipe without reader");
	check(fcntl(empty[0], F_GETPIPE_SZ) == 4096, "small size %d", fcntl(empty[0], F_GETPIPE_SZ));
	check(!waiting(empty[0]), "empty contains %d", waiting(empty[0]));
	check(waiting(full[0]) == filled, "full contains %d, not %ld", waiting(full[0]), filled);
	check(write(shared[1], " after", 6) == 6, "write to the child");
	join_task(pid);
	close(shared[0]);
	check(write(shared[1], "x", 1) < 0 && errno == EPIPE, "there is still a reader");
	test_done();
}
