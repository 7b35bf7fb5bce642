// SPDX-License-Identifier: GPL-2.0-only
/*
 * Children with mount namespaces of their own, in which sysfs and mqueue show other network and IPC namespaces than those of the
 * root: of the child itself (PrivateNetwork=, PrivateIPC= of systemd), and of the other child.
 * test: flavours=host,container breaks=2 ignore=.
 */
#include "checkpoint.h"
#include <fcntl.h>
#include <mqueue.h>
#include <sched.h>
#include <sys/mount.h>

static void separate(void)
{
	need(!unshare(CLONE_NEWNS), "mount namespace (errno %d)", errno);
	need(!mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), "private (errno %d)", errno);
}

static void mount_at(const char *type, const char *place)
{
	need(!mount(type, test_path(place), type, 0, NULL), "mount %s (errno %d)", type, errno);
}

/* The group of lo: for everybody else it is 0. */
static void set_mark(const char *place, const char *group)
{
	char path[4096];
	int fd;

	snprintf(path, sizeof(path), "%s/class/net/lo/netdev_group", test_path(place));
	fd = open(path, O_WRONLY);
	need(fd >= 0 && write(fd, group, strlen(group)) > 0, "group of lo in %s (errno %d)", path, errno);
	close(fd);
}

static long mark(const char *place)
{
	char path[4096], text[32] = "";

	snprintf(path, sizeof(path), "%s/class/net/lo/netdev_group", test_path(place));
	return read_file(path, text, sizeof(text)) > 0 ? strtol(text, NULL, 0) : -1;
}

static bool has_queue(const char *place, const char *name)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/%s", test_path(place), name);
	return !access(path, F_OK);
}

static int owner(void *arg)
{
	mqd_t queue;

	separate();
	need(!unshare(CLONE_NEWNET | CLONE_NEWIPC), "namespaces (errno %d)", errno);
	mount_at("sysfs", "sys");
	mount_at("mqueue", "mq");
	set_mark("sys", "7");
	queue = mq_open("/of-owner", O_CREAT | O_RDWR, 0600, NULL);
	need(queue >= 0, "queue (errno %d)", errno);
	mq_close(queue);
	checkpoint_task("owner", 0);
	if (test_break() == 1)
		set_mark("sys", "0");
	if (test_break() == 2)
		mq_unlink("/of-owner");
	check(mark("sys") == 7, "sysfs of the owner: %ld", mark("sys"));
	check(has_queue("mq", "of-owner"), "queues of the owner");
	queue = mq_open("/later", O_CREAT | O_RDWR, 0600, NULL);
	need(queue >= 0, "a queue (errno %d)", errno);
	check(has_queue("mq", "later"), "a new queue of the owner");
	task_ready("owner has looked");
	await_task("visitor has looked");
	return 0;
}

/* It has the file systems of the owner, but lives in the namespaces of the root. */
static int visitor(void *arg)
{
	char path[64];
	int net, ipc, own_net, own_ipc;
	pid_t pid = *(pid_t *)arg;

	snprintf(path, sizeof(path), "/proc/%d/ns/net", pid);
	net = open(path, O_RDONLY);
	snprintf(path, sizeof(path), "/proc/%d/ns/ipc", pid);
	ipc = open(path, O_RDONLY);
	own_net = open("/proc/self/ns/net", O_RDONLY);
	own_ipc = open("/proc/self/ns/ipc", O_RDONLY);
	separate();
	need(!setns(net, 0) && !setns(ipc, 0), "enter (errno %d)", errno);
	mount_at("sysfs", "sys");
	mount_at("mqueue", "mq");
	need(!setns(own_net, 0) && !setns(own_ipc, 0), "return (errno %d)", errno);
	close_range(net, own_ipc, 0);
	checkpoint_task("visitor", 0);
	check(mark("sys") == 7, "sysfs of the visitor: %ld", mark("sys"));
	await_task("owner has looked");
	check(has_queue("mq", "of-owner") && has_queue("mq", "later"), "queues that the visitor sees");
	task_ready("visitor has looked");
	return 0;
}

int main(int argc, char **argv)
{
	pid_t owns, visits;

	test_init(argc, argv);
	need(!mkdir(test_path("sys"), 0755) && !mkdir(test_path("mq"), 0755), "directories (errno %d)", errno);
	owns = fork_task(owner, NULL);
	await_task("owner");
	visits = fork_task(visitor, &owns);
	await_task("visitor");
	checkpoint_here();
	join_task(visits);
	join_task(owns);
	test_done();
}
