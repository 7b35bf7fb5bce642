// SPDX-License-Identifier: GPL-2.0-only
/*
 * A datagram server with clients in several processes, connected and bound or not; two connected to each other; a name
 * moved after bind(2); a removed one; a relative one.
 * test: flavours=host,net,container,user breaks=1 decode=yes
 */
#include "checkpoint.h"
#include <sys/socket.h>
#include <sys/un.h>

static int server, client[3];

static int bound(const char *name)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

	strcpy(a.sun_path, name);
	need(!bind(fd, (struct sockaddr *)&a, sizeof(a)), "bind %s: %m", name);
	return fd;
}

static int connect_to(int fd, const char *name)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };

	strcpy(a.sun_path, name);
	return connect(fd, (struct sockaddr *)&a, sizeof(a)) ? -errno : 0;
}

static void is_named(int fd, const char *name)
{
	struct sockaddr_un a = { 0 };
	socklen_t len = sizeof(a);

	check(!getsockname(fd, (struct sockaddr *)&a, &len) && !strcmp(a.sun_path, name), "%s, not %s", a.sun_path,
	      name);
}

static int child(void *arg)
{
	int i = (int)(long)arg;
	char text[16];

	close(server);
	for (int j = 0; j < 3; j++)
		if (j != i)
			close(client[j]);
	snprintf(text, 16, "child%d", i);
	checkpoint_task(text, 0);
	check(write(client[i], text, 6) == 6, "write: %m");
	return 0;
}

int main(int argc, char **argv)
{
	int moved, deleted, deleted_c, mutual, both, early;
	char buf[32] = "", path[200];
	pid_t pid[3];

	test_init(argc, argv);
	server = bound("server");
	client[0] = socket(AF_UNIX, SOCK_DGRAM, 0);
	client[1] = bound("client1");
	client[2] = socket(AF_UNIX, SOCK_DGRAM, 0);
	for (int i = 0; i < 3; i++) {
		need(!connect_to(client[i], "server"), "connect");
		need(write(client[i], "first", 5) == 5, "write");
		pid[i] = fork_task(child, (void *)(long)i);
	}
	close(client[0]);
	close(client[1]);
	close(client[2]);
	mutual = bound("mutual");
	both = bound("both");
	early = bound("early");
	need(!connect_to(early, "both") && write(early, "early", 5) == 5, "early");
	need(!connect_to(mutual, "both") && !connect_to(both, "mutual"), "connect");
	snprintf(path, sizeof(path), "%s/before", test_dir());
	moved = bound(path);
	need(!rename("before", "after"), "rename");
	deleted = bound("deleted");
	deleted_c = socket(AF_UNIX, SOCK_DGRAM, 0);
	need(!connect_to(deleted_c, "deleted") && !unlink("deleted"), "deleted");
	for (int i = 0; i < 3; i++) {
		snprintf(buf, 16, "child%d", i);
		await_task(buf);
	}
	if (checkpoint_here())
		rename("after", "before");
	for (int i = 0; i < 3; i++)
		check(read(server, buf, 32) == 5 && !memcmp(buf, "first", 5), "first %d: %s", i, buf);
	for (int i = 0; i < 3; i++)
		join_task(pid[i]);
	for (int i = 0; i < 3; i++)
		check(recv(server, buf, 32, MSG_DONTWAIT) == 6 && !memcmp(buf, "child", 5), "child %d: %s", i, buf);
	check(write(early, "x", 1) < 0 && errno == EPERM, "both is connected to mutual: %m");
	check(recv(both, buf, 32, MSG_DONTWAIT) == 5 && !memcmp(buf, "early", 5), "early: %s", buf);
	check(write(mutual, "to", 2) == 2 && read(both, buf, 32) == 2 && write(both, "fro", 3) == 3 &&
		      read(mutual, buf, 32) == 3,
	      "mutual: %m");
	is_named(moved, path);
	is_named(server, "server");
	is_named(deleted, "deleted");
	check(access("before", F_OK) < 0 && access("deleted", F_OK) < 0, "a name exists");
	client[0] = socket(AF_UNIX, SOCK_DGRAM, 0);
	check(!connect_to(client[0], "after") && write(client[0], "found", 5) == 5 && read(moved, buf, 32) == 5,
	      "moved");
	check(write(deleted_c, "gone", 4) == 4 && read(deleted, buf, 32) == 4, "deleted: %m");
	check(connect_to(client[0], "both") == -EPERM, "both is connected to mutual");
	test_done();
}
