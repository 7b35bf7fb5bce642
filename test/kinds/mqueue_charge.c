// SPDX-License-Identifier: GPL-2.0-only
/*
 * POSIX message queues count against the limit (RLIMIT_MSGQUEUE) of the real user who created them, whoever they belong to:
 * those of several users exceed one limit together; one was given to another user; one is unlinked; one was created in a
 * nested user namespace, so that it counts for the creator of that, too.
 * test: breaks=3 decode=yes ignore=fd/[0-9]+/ino
 */
#include "checkpoint.h"
#include <mqueue.h>
#include <sched.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define SIZE 10000
#define USERS 3 /* and one more, who is user 0 of the nested user namespace */

static uid_t first; /* nobody else has these */

static mqd_t make(const char *name, long messages)
{
	struct mq_attr attr = { .mq_maxmsg = messages, .mq_msgsize = SIZE };

	return mq_open(name, O_CREAT | O_EXCL | O_RDWR | O_NONBLOCK, 0600, &attr);
}

/* How many more messages the limit of a user has room for. */
static long room(uid_t user)
{
	long low = 0, high = 1000;
	int status, out[2];
	pid_t pid;

	need(!pipe(out) && (pid = fork()) >= 0, "fork");
	if (!pid) {
		if (syscall(SYS_setresuid, user, -1, -1))
			_exit(1);
		while (low + 1 < high) {
			long middle = (low + high) / 2;
			mqd_t q = make("/room", middle);

			*(q >= 0 ? &low : &high) = middle;
			if (q < 0 && errno != EMFILE)
				_exit(2);
			mq_unlink("/room");
			mq_close(q);
		}
		_exit(write(out[1], &low, sizeof(low)) != sizeof(low));
	}
	need(waitpid(pid, &status, 0) == pid && !status && read(out[0], &low, sizeof(low)) == sizeof(low),
	     "the room of user %u: status 0x%x", user, status);
	close(out[0]);
	close(out[1]);
	return low;
}

static char path[64];

static const char *proc_path(pid_t pid, const char *name)
{
	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	return path;
}

static const char *queue_name(int i)
{
	snprintf(path, sizeof(path), "/of-%d", i);
	return path;
}

/* In a child that stays there for the test, as the namespace has to have a process. */
static pid_t nested(long messages, int *ret_hold)
{
	int made[2], unshared[2];
	char c, map[32];
	pid_t pid;
	mqd_t q;

	need(!pipe(made) && !pipe(unshared) && (pid = fork()) >= 0, "fork");
	if (!pid) {
		need(!setresuid(first + USERS, first + USERS, first + USERS) && !unshare(CLONE_NEWUSER) &&
			     write(unshared[1], "x", 1) == 1 && read(made[0], &c, 1) == 1,
		     "unshare");
		need(!setresuid(0, 0, 0) && (q = make("/nested", messages)) >= 0 && write(unshared[1], "x", 1) == 1,
		     "a queue: %s", strerror(errno));
		for (int fd = 0; fd <= q; fd++)
			if (fd != made[0])
				close(fd);
		_exit((int)read(made[0], &c, 1));
	}
	close(unshared[1]);
	need(read(unshared[0], &c, 1) == 1, "unshare");
	write_file(proc_path(pid, "setgroups"), "deny");
	snprintf(map, sizeof(map), "0 %u 1\n", first + USERS);
	write_file(proc_path(pid, "uid_map"), map);
	write_file(proc_path(pid, "gid_map"), "0 0 1\n");
	need(write(made[1], "x", 1) == 1 && read(unshared[0], &c, 1) == 1, "map");
	close(unshared[0]);
	*ret_hold = made[1];
	return pid;
}

int main(int argc, char **argv)
{
	static const long messages[USERS] = { 50, 40, 30 };
	long before[USERS + 1], now;
	mqd_t q[USERS];
	pid_t child;
	int brk, status, hold;

	test_init(argc, argv);
	need(!unshare(CLONE_NEWIPC) && getrandom(&first, sizeof(first), 0) == sizeof(first), "unshare");
	first = 100000 + first % 1000000000;
	write_file("/proc/sys/fs/mqueue/msg_max", "1000");
	write_file("/proc/sys/fs/mqueue/msgsize_max", "100000");
	for (int i = 0; i < USERS; i++) {
		need(!syscall(SYS_setresuid, first + (uid_t)i, -1, -1), "setresuid");
		q[i] = make(queue_name(i), messages[i]);
		need(q[i] >= 0, "mq_open: %s", strerror(errno));
		need(!syscall(SYS_setresuid, 0, -1, -1), "setresuid");
	}
	need(!fchown(q[0], first + 20, 0) && !fchown(q[2], first + 20, 0) && !mq_unlink("/of-2"), "chown");
	child = nested(10, &hold);
	for (int i = 0; i <= USERS; i++)
		before[i] = room(first + (uid_t)i);
	for (int i = 0; i < USERS; i++)
		need(before[i] < 85 - messages[i], "user %d has room for %ld", i, before[i]);

	brk = checkpoint_here();
	if (brk == 1)
		mq_unlink("/of-0"), mq_close(q[0]);
	if (brk == 2)
		mq_close(q[2]);
	if (brk == 3)
		mq_unlink("/nested");

	for (int i = 0; i <= USERS; i++) {
		now = room(first + (uid_t)i);
		check(now == before[i], "user %d: room for %ld messages, not %ld", i, now, before[i]);
	}
	close(hold);
	need(waitpid(child, &status, 0) == child && !status, "the child");
	test_done();
}
