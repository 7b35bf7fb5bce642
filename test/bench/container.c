/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * container DIR MOUNTS VETHS: the shortest way to a container: namespaces (pid, net, IPC, UTS, mount), a root directory at DIR with
 * /proc, /sys, /dev/pts, message queues and MOUNTS of tmpfs besides, loopback and VETHS pairs of network devices, up, with an
 * address. Prints the pid of its init and the seconds from its creation until all that exists, and exits; init executes a copy of
 * this program at DIR/container, which waits. Linked statically: the container has no libraries.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static void must(int ok, const char *what)
{
	if (ok)
		return;
	perror(what);
	exit(1);
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec * 1e-9;
}

/* ---- mounts ---- */

static void mount_at(const char *type, const char *dir, const char *options)
{
	must(!mkdir(dir, 0755) || errno == EEXIST, dir);
	must(!mount(type, dir, type, 0, options), dir);
}

static void make_mounts(const char *dir, int mounts)
{
	char path[64];

	must(!mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL), "private");
	must(!mount(dir, dir, NULL, MS_BIND, NULL) && !chdir(dir), dir);
	mount_at("proc", "proc", NULL);
	mount_at("sysfs", "sys", NULL);
	mount_at("tmpfs", "dev", "mode=755");
	mount_at("devpts", "dev/pts", "newinstance,ptmxmode=666");
	mount_at("mqueue", "dev/mqueue", NULL);
	for (int i = 0; i < mounts; i++) {
		snprintf(path, sizeof(path), "m%d", i);
		mount_at("tmpfs", path, NULL);
	}
	must(!syscall(SYS_pivot_root, ".", ".") && !umount2(".", MNT_DETACH) && !chdir("/"), "root");
}

/* ---- network ---- */

static char messages[1 << 16] __attribute__((aligned(8)));

static struct rtattr *attribute(struct nlmsghdr *head, int type, const void *data, size_t len)
{
	struct rtattr *attr = (struct rtattr *)((char *)head + NLMSG_ALIGN(head->nlmsg_len));

	attr->rta_type = (unsigned short)type;
	attr->rta_len = (unsigned short)RTA_LENGTH(len);
	if (len)
		memcpy(RTA_DATA(attr), data, len);
	head->nlmsg_len = NLMSG_ALIGN(head->nlmsg_len) + RTA_ALIGN(attr->rta_len);
	return attr;
}

static void end(struct nlmsghdr *head, struct rtattr *nest)
{
	nest->rta_len = (unsigned short)((char *)head + head->nlmsg_len - (char *)nest);
}

static struct nlmsghdr *message(size_t *used, int type, const void *body, size_t len)
{
	struct nlmsghdr *head = (struct nlmsghdr *)(messages + *used);

	memset(head, 0, 512);
	head->nlmsg_type = (unsigned short)type;
	head->nlmsg_flags = NLM_F_REQUEST | NLM_F_CREATE | NLM_F_ACK;
	head->nlmsg_len = (unsigned)NLMSG_LENGTH(len);
	memcpy(NLMSG_DATA(head), body, len);
	return head;
}

static void add_pair(size_t *used, int i)
{
	struct ifinfomsg one = { .ifi_index = 2 + 2 * i }, other = one;
	struct nlmsghdr *head = message(used, RTM_NEWLINK, &one, sizeof(one));
	struct rtattr *info, *data, *peer;
	char name[IFNAMSIZ];

	other.ifi_index++;
	snprintf(name, sizeof(name), "a%d", i);
	attribute(head, IFLA_IFNAME, name, strlen(name) + 1);
	info = attribute(head, IFLA_LINKINFO, NULL, 0);
	attribute(head, IFLA_INFO_KIND, "veth", 5);
	data = attribute(head, IFLA_INFO_DATA, NULL, 0);
	peer = attribute(head, VETH_INFO_PEER, &other, sizeof(other));
	snprintf(name, sizeof(name), "b%d", i);
	attribute(head, IFLA_IFNAME, name, strlen(name) + 1);
	end(head, peer);
	end(head, data);
	end(head, info);
	*used += NLMSG_ALIGN(head->nlmsg_len);
}

static void add_address(size_t *used, int i)
{
	struct ifaddrmsg body = { .ifa_family = AF_INET, .ifa_prefixlen = 24, .ifa_index = (unsigned)(2 + 2 * i) };
	unsigned char address[4] = { 10, 1, (unsigned char)i, 1 };
	struct nlmsghdr *head = message(used, RTM_NEWADDR, &body, sizeof(body));

	attribute(head, IFA_LOCAL, address, 4);
	*used += NLMSG_ALIGN(head->nlmsg_len);
}

static void set_up(size_t *used, int index)
{
	struct ifinfomsg body = { .ifi_index = index, .ifi_flags = IFF_UP, .ifi_change = IFF_UP };

	*used += NLMSG_ALIGN(message(used, RTM_NEWLINK, &body, sizeof(body))->nlmsg_len);
}

static void make_network(int pairs)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	size_t used = 0;
	char answer[1 << 14];

	must(fd >= 0, "netlink");
	set_up(&used, 1);
	for (int i = 0; i < pairs; i++) {
		add_pair(&used, i);
		add_address(&used, i);
		set_up(&used, 2 + 2 * i);
		set_up(&used, 3 + 2 * i);
	}
	must(send(fd, messages, used, 0) == (ssize_t)used, "send");
	for (int left = 1 + 4 * pairs; left > 0; left--) {
		const struct nlmsgerr *error = NLMSG_DATA((struct nlmsghdr *)answer);

		must(recv(fd, answer, sizeof(answer), 0) > 0, "receive");
		errno = -error->error;
		must(!error->error, "network");
	}
	close(fd);
}

static _Noreturn void run_init(char **argv, int ready)
{
	int null;

	make_mounts(argv[1], atoi(argv[2]));
	make_network(atoi(argv[3]));
	setsid();
	must(mknod("/dev/null", S_IFCHR | 0666, 1 << 8 | 3) == 0, "null");
	null = open("/dev/null", O_RDWR);
	must(null >= 0 && write(ready, "r", 1) == 1, "ready");
	for (int fd = 0; fd < 3; fd++)
		dup2(null, fd);
	syscall(SYS_close_range, 3, ~0u, 0);
	execl("/container", "container", NULL);
	_exit(1);
}

int main(int argc, char **argv)
{
	double start = now();
	int ready[2];
	long pid;
	char c;

	while (argc == 1)
		pause();
	must(argc == 4 && !pipe2(ready, O_CLOEXEC), "container DIR MOUNTS VETHS");
	pid = syscall(SYS_clone, CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWNS | SIGCHLD, 0,
		      0, 0, 0);
	must(pid >= 0, "clone");
	if (!pid)
		run_init(argv, ready[1]);
	close(ready[1]);
	must(read(ready[0], &c, 1) == 1, "init");
	printf("%ld %.6f\n", pid, now() - start);
	return 0;
}
