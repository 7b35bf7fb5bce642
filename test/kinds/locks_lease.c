// SPDX-License-Identifier: GPL-2.0-only
/*
 * Leases: read, write, on an open file shared with a child; afterwards they are broken, and the signal to the holder
 * contains the descriptor.
 * test: options=--file-locks restore-options=--file-locks breaks=2
 */
#include "checkpoint.h"
#include <sys/wait.h>

static volatile sig_atomic_t signalled_fd = -1;

static void on_break(int sig, siginfo_t *info, void *context)
{
	signalled_fd = info->si_fd;
}

/* Another process opens it with O_NONBLOCK; returns errno. */
static int try_open(const char *name, int flags)
{
	int status;

	if (!fork())
		_exit(open(name, flags | O_NONBLOCK) < 0 ? errno : 0);
	wait(&status);
	return WEXITSTATUS(status);
}

static int make(const char *name, int flags, int lease)
{
	int fd = open(name, O_RDWR | O_CREAT, 0600);

	close(fd);
	fd = open(name, flags);
	need(!fcntl(fd, F_SETSIG, SIGRTMIN + 1), "F_SETSIG");
	need(!fcntl(fd, F_SETLEASE, lease), "F_SETLEASE: %s", strerror(errno));
	return fd;
}

int main(int argc, char **argv)
{
	struct sigaction sa = { .sa_sigaction = on_break, .sa_flags = SA_SIGINFO | SA_RESTART };
	int read_lease, write_lease, quiet, b;

	test_init(argc, argv);
	sigaction(SIGRTMIN + 1, &sa, NULL);
	read_lease = make("read", O_RDONLY, F_RDLCK);
	write_lease = make("write", O_RDWR, F_WRLCK);
	quiet = make("quiet", O_RDWR, F_WRLCK);
	b = checkpoint_here();
	if (b == 1)
		fcntl(read_lease, F_SETLEASE, F_UNLCK);
	if (b == 2)
		fcntl(write_lease, F_SETLEASE, F_UNLCK);
	check(fcntl(read_lease, F_GETLEASE) == F_RDLCK, "the read lease");
	check(fcntl(write_lease, F_GETLEASE) == F_WRLCK, "the write lease");
	check(fcntl(quiet, F_GETLEASE) == F_WRLCK, "the other write lease");
	check(signalled_fd == -1, "one was broken: descriptor %d", signalled_fd);
	check(!try_open("read", O_RDONLY) && signalled_fd == -1, "a reader breaks a read lease");
	check(try_open("read", O_RDWR) == EWOULDBLOCK && signalled_fd == read_lease, "a writer breaks it: %d",
	      signalled_fd);
	check(try_open("write", O_RDONLY) == EWOULDBLOCK && signalled_fd == write_lease,
	      "a reader breaks a write lease: %d", signalled_fd);
	check(!fcntl(write_lease, F_SETLEASE, F_UNLCK) && !fcntl(read_lease, F_SETLEASE, F_UNLCK), "release");
	check(!try_open("write", O_RDWR) && !try_open("read", O_RDWR), "released");
	test_done();
}
