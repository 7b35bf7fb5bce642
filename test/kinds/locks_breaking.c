// SPDX-License-Identifier: GPL-2.0-only
/*
 * Leases being broken: by an opener that waits and by one that has gone; down to a read lease and to none; read leases
 * and write leases. Their holders have been signalled, or have the signal pending: they are not signalled again.
 * test: options=--file-locks restore-options=--file-locks breaks=4
 */
#include "checkpoint.h"
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

static volatile sig_atomic_t signalled, signalled_fd = -1;

static void on_break(int sig, siginfo_t *info, void *context)
{
	signalled++;
	signalled_fd = info->si_fd;
}

/* Another process opens it with O_NONBLOCK; returns errno. */
static int try_open(const char *name, int flags)
{
	int status;
	pid_t pid = fork();

	if (!pid)
		_exit(open(name, flags | O_NONBLOCK) < 0 ? errno : 0);
	waitpid(pid, &status, 0);
	return WEXITSTATUS(status);
}

static int take(const char *name, int flags, int lease, int sig)
{
	int fd = open(name, O_RDWR | O_CREAT, 0600);

	close(fd);
	fd = open(name, flags);
	need(!fcntl(fd, F_SETSIG, sig), "F_SETSIG");
	need(!fcntl(fd, F_SETLEASE, lease), "F_SETLEASE: %s", strerror(errno));
	return fd;
}

struct opener {
	const char *name;
	int flags;
};

static int opener(void *arg)
{
	const struct opener *o = arg;
	int fd = open(o->name, o->flags);

	check(fd >= 0 && !access("released", F_OK), "%s: open did not wait", o->name);
	return 0;
}

static void taken_by_waiters(int reader_waits, int writer_waits, const pid_t kids[2])
{
	check(fcntl(reader_waits, F_GETLEASE) == F_RDLCK, "to become a read lease: %d",
	      fcntl(reader_waits, F_GETLEASE));
	check(fcntl(writer_waits, F_GETLEASE) == F_UNLCK, "to become none: %d", fcntl(writer_waits, F_GETLEASE));
	sleep_ms(50); /* one that did not block would succeed */
	for (int i = 0; i < 2; i++)
		check(!waitpid(kids[i], NULL, WNOHANG), "opener %d does not wait", i);
}

static void signals(int write_fd, int waiting_fd, int quiet_fd)
{
	sigset_t set;
	siginfo_t info = { 0 };
	const struct timespec now = { 0 };

	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN + 2);
	check(signalled == 1 && signalled_fd == write_fd, "signalled %d times, last for %d", signalled, signalled_fd);
	check(sigtimedwait(&set, &info, &now) == SIGRTMIN + 2 && info.si_fd == waiting_fd, "the pending signal: %d",
	      info.si_fd);
	check(sigtimedwait(&set, &info, &now) < 0, "pending more than once");
	check(fcntl(write_fd, F_GETOWN) == getpid() && fcntl(write_fd, F_GETSIG) == SIGRTMIN + 1, "owner");
	check(fcntl(quiet_fd, F_GETOWN) == 0, "it has no owner: %d", fcntl(quiet_fd, F_GETOWN));
}

int main(int argc, char **argv)
{
	struct sigaction sa = { .sa_sigaction = on_break, .sa_flags = SA_SIGINFO | SA_RESTART };
	struct opener who[] = { { "down", O_RDONLY }, { "away", O_WRONLY } };
	int down, away, read_lease, write_lease, with_signal, quiet, b;
	pid_t kids[2];
	sigset_t set;

	test_init(argc, argv);
	signal(SIGIO, SIG_IGN);
	sigaction(SIGRTMIN + 1, &sa, NULL);
	sigaction(SIGRTMIN + 2, &sa, NULL);
	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN + 2);
	sigprocmask(SIG_BLOCK, &set, NULL);
	down = take("down", O_RDONLY, F_WRLCK, 0);
	away = take("away", O_RDWR, F_WRLCK, 0);
	read_lease = take("read", O_RDONLY, F_RDLCK, SIGRTMIN + 2);
	write_lease = take("write", O_RDONLY, F_WRLCK, 0);
	with_signal = take("signalled", O_RDWR, F_WRLCK, SIGRTMIN + 1);
	quiet = take("quiet", O_RDWR, F_WRLCK, SIGRTMIN + 1);
	need(!fcntl(quiet, F_SETOWN, 0), "F_SETOWN");
	for (int i = 0; i < 2; i++)
		kids[i] = fork_task(opener, &who[i]);
	for (int i = 0; i < 2; i++)
		await_syscall(kids[i], SYS_openat);
	need(try_open("read", O_WRONLY) == EWOULDBLOCK && try_open("write", O_WRONLY) == EWOULDBLOCK &&
		     try_open("signalled", O_RDONLY) == EWOULDBLOCK,
	     "break");
	b = checkpoint_here();
	if (b == 1)
		fcntl(down, F_SETLEASE, F_RDLCK);
	if (b == 2)
		raise(SIGRTMIN + 1);
	if (b == 3)
		fcntl(write_lease, F_SETLEASE, F_UNLCK);
	if (b == 4)
		try_open("signalled", O_WRONLY);
	taken_by_waiters(down, away, kids);
	signals(with_signal, read_lease, quiet);
	check(fcntl(read_lease, F_GETLEASE) == F_UNLCK && fcntl(write_lease, F_GETLEASE) == F_UNLCK &&
		      fcntl(with_signal, F_GETLEASE) == F_RDLCK && fcntl(quiet, F_GETLEASE) == F_WRLCK,
	      "the others become: %d %d %d %d", fcntl(read_lease, F_GETLEASE), fcntl(write_lease, F_GETLEASE),
	      fcntl(with_signal, F_GETLEASE), fcntl(quiet, F_GETLEASE));
	/* Their current types. */
	check(try_open("read", O_RDONLY) == 0 && try_open("read", O_WRONLY) == EWOULDBLOCK, "a read lease");
	check(try_open("write", O_RDONLY) == EWOULDBLOCK, "a write lease");
	check(try_open("quiet", O_RDONLY) == EWOULDBLOCK && signalled == 1, "a lease without owner: %d", signalled);
	write_file("released", "");
	check(!fcntl(down, F_SETLEASE, F_RDLCK), "lower: %s", strerror(errno));
	check(!fcntl(away, F_SETLEASE, F_UNLCK), "release: %s", strerror(errno));
	join_task(kids[0]);
	join_task(kids[1]);
	check(fcntl(down, F_GETLEASE) == F_RDLCK, "lowered");
	test_done();
}
