// SPDX-License-Identifier: GPL-2.0-only
/*
 * A task that has dropped root's privileges: files that root opened for it (a log, a FIFO, a terminal, a mapping, a
 * socket, a watch, a message queue, unlinked files, descriptors in flight) and files that it opened itself, as a user
 * and through a supplementary group. Its parent remains root, and shares the log with it.
 * test: breaks=2
 */
#include "checkpoint.h"
#include <grp.h>
#include <mqueue.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>

#define USER 65534
#define GROUP 4321

static int shared_log, flight[2];

static void send_fd(int sock, int fd)
{
	union {
		struct cmsghdr head;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct iovec iov = { .iov_base = "f", .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)
	};

	control.head = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS };
	memcpy(CMSG_DATA(&control.head), &fd, sizeof(fd));
	need(sendmsg(sock, &msg, 0) == 1, "send a descriptor");
}

static int take_fd(int sock)
{
	union {
		struct cmsghdr head;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	char byte;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)
	};
	int fd = -1;

	if (recvmsg(sock, &msg, 0) == 1)
		memcpy(&fd, CMSG_DATA(&control.head), sizeof(fd));
	return fd;
}

static int bound_socket(const char *name)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	strcpy(addr.sun_path, name);
	need(!bind(fd, (struct sockaddr *)&addr, sizeof(addr)) && !listen(fd, 3), "bind %s: %m", name);
	return fd;
}

static void drop(void)
{
	gid_t group = GROUP;

	need(!setgroups(1, &group) && !setresgid(USER, USER, USER) && !setresuid(USER, USER, USER),
	     "drop privileges: %m");
	prctl(PR_SET_DUMPABLE, 1);
}

static void check_credentials(void)
{
	uid_t u[3] = { 0 };
	gid_t g[3] = { 0 }, group = 0;

	check(!getresuid(&u[0], &u[1], &u[2]) && u[0] == USER && u[1] == USER && u[2] == USER, "user %u %u %u", u[0],
	      u[1], u[2]);
	check(!getresgid(&g[0], &g[1], &g[2]) && g[0] == USER && g[1] == USER && g[2] == USER, "group %u", g[0]);
	check(getgroups(1, &group) == 1 && group == GROUP, "groups");
	check(status_field(getpid(), "CapEff", 16) == 0 && status_field(getpid(), "CapPrm", 16) == 0, "capabilities");
	check(open("secret", O_RDONLY) < 0 && errno == EACCES, "it may read root's file");
}

static int worker(void *arg)
{
	int log = open("log", O_WRONLY | O_CREAT | O_APPEND, 0600), gone = open("gone", O_RDWR | O_CREAT, 0600), fifo,
	    own, grp;
	int sock = bound_socket("sock"), watch = inotify_init(), environ_fd, fds,
	    in_flight = open("flight", O_RDWR | O_CREAT, 0600), his, tmp;
	struct mq_attr attr = { .mq_maxmsg = 2, .mq_msgsize = 8 };
	mqd_t queue = mq_open("/rights", O_RDWR | O_CREAT, 0600, &attr);
	struct stat st;
	char buf[64] = "", *map, event[256];

	need(!mkfifo("fifo", 0600) && (fifo = open("fifo", O_RDWR)) >= 0 && write(fifo, "in fifo", 7) == 7, "FIFO");
	need(write(in_flight, "in flight", 9) == 9 && pwrite(gone, "gone", 4, 0) == 4 && !unlink("gone"), "files");
	need(queue >= 0 && !chmod("sock", 0640) && !chown("sock", 7, 8) && !mkdir("seen", 0700),
	     "queue, socket, directory");
	need(inotify_add_watch(watch, "seen", IN_CREATE) > 0, "watch");
	write_file("mapped", "of root, and written by a task that may not open it");
	map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, open("mapped", O_RDWR), 0);
	need(map != MAP_FAILED && !chmod("mapped", 0600), "map");
	send_fd(flight[0], in_flight);
	close(in_flight);
	drop();
	need((own = open("his/own", O_RDWR | O_CREAT, 0600)) >= 0 && write(own, "own", 3) == 3, "his own: %m");
	need((grp = open("group", O_RDWR)) >= 0, "by his group: %m");
	need((tmp = open("his/tmp", O_RDWR | O_CREAT, 0640)) >= 0 && write(tmp, "tmp", 3) == 3 && !unlink("his/tmp"),
	     "tmp");
	his = bound_socket("his/sock");
	need((environ_fd = open("/proc/self/environ", O_RDONLY)) >= 0 && (fds = open("/proc/self/fd", O_RDONLY)) >= 0,
	     "/proc");
	need(!mkdir("his/cwd", 0700) && !chdir("his/cwd") && !rmdir("../cwd"), "directory");

	checkpoint_task("worker", 0);
	await_task("verify");
	check(!lstat(".", &st) && st.st_uid == USER && !st.st_nlink, "directory owned by %u", st.st_uid);
	need(!chdir(test_dir()), "chdir");
	check_credentials();
	check(write(log, "worker\n", 7) == 7 && write(shared_log, "both\n", 5) == 5, "the logs: %m");
	check(read(fifo, buf, 7) == 7 && !memcmp(buf, "in fifo", 7), "FIFO has %.7s", buf);
	check(pread(gone, buf, 4, 0) == 4 && !memcmp(buf, "gone", 4) && !fstat(gone, &st) && !st.st_uid,
	      "unlinked, owned by %u", st.st_uid);
	check(pread(tmp, buf, 3, 0) == 3 && !memcmp(buf, "tmp", 3) && !fstat(tmp, &st) && st.st_uid == USER &&
		      (st.st_mode & 0777) == 0640,
	      "unlinked, owned by %u", st.st_uid);
	check(pread(own, buf, 3, 0) == 3 && pwrite(grp, "g", 1, 0) == 1, "his own, his group's");
	check(!stat("sock", &st) && st.st_uid == 7 && st.st_gid == 8 && (st.st_mode & 0777) == 0640,
	      "socket %o owned by %u", st.st_mode, st.st_uid);
	check(!stat("his/sock", &st) && st.st_uid == USER, "his socket is owned by %u", st.st_uid);
	map[0] = 'O';
	in_flight = take_fd(flight[1]);
	check(in_flight >= 0 && pread(in_flight, buf, 9, 0) == 9 && !memcmp(buf, "in flight", 9), "in flight");
	check(!mq_send(queue, "x", 1, 0), "queue: %m");
	task_ready("done");
	check(read(watch, event, sizeof(event)) > 0, "watch");
	check(read(environ_fd, buf, 1) >= 0 && !fstat(fds, &st) && S_ISDIR(st.st_mode), "files of /proc");
	check(fcntl(sock, F_GETFL) >= 0 && fcntl(his, F_GETFL) >= 0, "sockets");
	return 0;
}

int main(int argc, char **argv)
{
	char buf[64] = "";
	pid_t pid;
	int brk;

	test_init(argc, argv);
	need(!chmod(".", 01777) && !mkdir("his", 0755) && !chown("his", USER, USER), "directories");
	write_file("secret", "root's");
	write_file("group", "of a group");
	need(!chmod("secret", 0600) && !chown("group", 0, GROUP) && !chmod("group", 0660), "files");
	shared_log = open("both", O_WRONLY | O_CREAT | O_APPEND, 0600);
	need(shared_log >= 0 && !socketpair(AF_UNIX, SOCK_DGRAM, 0, flight), "shared");
	pid = fork_task(worker, NULL);
	await_task("worker");
	brk = checkpoint_here();
	if (brk == 1)
		chmod("secret", 0644);
	if (brk == 2)
		chown("sock", 9, 9);
	task_ready("verify");
	await_task("done");
	need(close(open("seen/new", O_CREAT | O_WRONLY, 0600)) == 0, "event");
	join_task(pid);
	check(read_file("log", buf, sizeof(buf)) == 7 && read_file("both", buf, sizeof(buf)) == 5, "the logs");
	check(read_file("mapped", buf, sizeof(buf)) > 0 && buf[0] == 'O', "the mapping wrote to %.9s", buf);
	mq_unlink("/rights");
	test_done();
}
