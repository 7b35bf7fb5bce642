// SPDX-License-Identifier: GPL-2.0-only
/*
 * A connection of an ordinary user to a socket of root's that is not accepted yet, and one that is: SO_PEERCRED still
 * reports the user, and clients still get the pid of the listener: the root of the tree, and a child. Root's process,
 * which creates the user's sockets, is still dumpable.
 * test: breaks=1 user-root=host
 */
#include "checkpoint.h"
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>

#define USER 1234

static struct sockaddr_un name = { .sun_family = AF_UNIX, .sun_path = "server" };

static struct sockaddr_un other = { .sun_family = AF_UNIX, .sun_path = "other" };

static void listener_is(int fd, pid_t pid)
{
	struct ucred cred = { 0 };
	socklen_t len = sizeof(cred);

	check(!getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) && cred.pid == pid, "pid %d, not %d", cred.pid,
	      pid);
}

static void peer_is(int fd, uid_t uid)
{
	struct ucred cred = { 0 };
	socklen_t len = sizeof(cred);

	check(!getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) && cred.uid == uid && cred.gid == uid,
	      "user %d, group %d, not %d", cred.uid, cred.gid, uid);
}

static int child(void *arg)
{
	int fds[2], server = socket(AF_UNIX, SOCK_STREAM, 0);

	need(!setresgid(USER, USER, USER) && !setresuid(USER, USER, USER), "setresuid");
	for (int i = 0; i < 2; i++) {
		fds[i] = socket(AF_UNIX, SOCK_STREAM, 0);
		need(!connect(fds[i], (struct sockaddr *)&name, sizeof(name)), "connect: %m");
	}
	need(!bind(server, (struct sockaddr *)&other, sizeof(other)) && !listen(server, 3), "listen: %m");
	checkpoint_task("child", 0);
	for (int i = 0; i < 2; i++) {
		char c;

		peer_is(fds[i], 0);
		listener_is(fds[i], getppid());
		check(read(fds[i], &c, 1) == 1, "read");
	}
	return 0;
}

int main(int argc, char **argv)
{
	int server, accepted, waiting, to_child = socket(AF_UNIX, SOCK_STREAM, 0);
	pid_t pid;

	test_init(argc, argv);
	server = socket(AF_UNIX, SOCK_STREAM, 0);
	need(!bind(server, (struct sockaddr *)&name, sizeof(name)) && !listen(server, 3) && !chmod("server", 0777),
	     "server");
	need(!chmod(".", 0777), "chmod");
	pid = fork_task(child, NULL);
	await_task("child");
	accepted = accept(server, NULL, NULL);
	need(!connect(to_child, (struct sockaddr *)&other, sizeof(other)), "connect to the child: %m");
	if (checkpoint_here())
		/* A connection of root's in between. */
		need((waiting = accept(server, NULL, NULL)) >= 0 &&
			     !connect(socket(AF_UNIX, SOCK_STREAM, 0), (struct sockaddr *)&name, sizeof(name)),
		     "break");
	check(prctl(PR_GET_DUMPABLE) == 1, "dumpable %d", prctl(PR_GET_DUMPABLE));
	waiting = accept(server, NULL, NULL);
	listener_is(to_child, pid);
	peer_is(accepted, USER);
	peer_is(waiting, USER);
	check(write(accepted, "x", 1) == 1 && write(waiting, "x", 1) == 1, "write");
	join_task(pid);
	test_done();
}
