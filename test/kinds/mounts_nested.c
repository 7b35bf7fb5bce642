// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tasks in other mount namespaces than the root of the tree: some mounts more and some less, other flags, a tmpfs that several
 * namespaces show, peers and slaves across them, another root (pivot_root(2)), a child that shares the namespace of its parent;
 * and files, working directories and a socket in one of them, also open in a task of another one.
 * test: flavours=container breaks=6 ignore=.
 */
#include "mounts.h"
#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/un.h>

#define MAX 200
struct seen {
	int id, parent, shared, master;
	char root[512], point[512], options[256], type[64], super[512];
};

struct list {
	struct seen v[MAX];
	int n;
};

/* The last descriptor of the root of the tree: opened in the namespace of "grown". */
static int channel[2];

static void do_mount(const char *source, const char *to, const char *type, unsigned long flags, const char *options)
{
	need(!mount(source, to, type, flags, options), "mount %s at %s (errno %d)", type ?: "", to, errno);
}

static const char *dir(const char *name)
{
	char *path = test_path(name);

	need(!mkdir(path, 0755) || errno == EEXIST, "%s (errno %d)", path, errno);
	return path;
}

/* ---- /proc/self/mountinfo, in each namespace ---- */

static void read_mounts(struct list *list)
{
	FILE *f = fopen("/proc/self/mountinfo", "r");
	char line[4096], *at;
	int used;

	need(f, "mountinfo (errno %d)", errno);
	for (list->n = 0; fgets(line, sizeof(line), f); list->n++) {
		struct seen *s = &list->v[list->n];

		need(list->n < MAX, "too many mounts");
		memset(s, 0, sizeof(*s));
		need(sscanf(line, "%d %d %*s %511s %511s %255s%n", &s->id, &s->parent, s->root, s->point, s->options,
			    &used) == 5,
		     "%s", line);
		for (at = strtok(line + used, " "); at && strcmp(at, "-"); at = strtok(NULL, " ")) {
			sscanf(at, "shared:%d", &s->shared);
			sscanf(at, "master:%d", &s->master);
		}
		snprintf(s->type, sizeof(s->type), "%s", strtok(NULL, " "));
		strtok(NULL, " ");
		snprintf(s->super, sizeof(s->super), "%s", strtok(NULL, "\n"));
	}
	fclose(f);
}

static int depth(const struct list *list, const struct seen *of)
{
	for (int i = 0; i < list->n; i++)
		if (list->v[i].id == of->parent && list->v[i].id != of->id)
			return depth(list, &list->v[i]) + 1;
	return 0;
}

static const struct seen *same_place(const struct list *list, const struct seen *as, int level)
{
	for (int i = 0; i < list->n; i++)
		if (!strcmp(list->v[i].point, as->point) && depth(list, &list->v[i]) == level)
			return &list->v[i];
	return NULL;
}

static void compare(const char *who, const struct list *a)
{
	static struct list now;

	read_mounts(&now);
	check(a->n == now.n, "%s: %d mounts, %d before", who, now.n, a->n);
	for (int i = 0; i < a->n; i++) {
		const struct seen *s = &a->v[i], *t = same_place(&now, s, depth(a, s));

		check(t, "%s: %s is missing", who, s->point);
		if (!t)
			continue;
		check(!strcmp(s->root, t->root), "%s: %s: root %s, before %s", who, s->point, t->root, s->root);
		check(!strcmp(s->options, t->options), "%s: %s: options %s, before %s", who, s->point, t->options,
		      s->options);
		check(!strcmp(s->type, t->type), "%s: %s: type %s, before %s", who, s->point, t->type, s->type);
		check(!strcmp(s->super, t->super), "%s: %s: file system %s, before %s", who, s->point, t->super,
		      s->super);
		check(!s->shared == !t->shared, "%s: %s: shared", who, s->point);
		check(!s->master == !t->master, "%s: %s: slave", who, s->point);
	}
}

/* ---- tasks ---- */

static ino_t ns_of(const char *pid)
{
	char path[64];
	struct stat st = { 0 };

	snprintf(path, sizeof(path), "/proc/%s/ns/mnt", pid);
	need(!stat(path, &st), "%s", path);
	return st.st_ino;
}

/* Of a task with a namespace of its own: its mounts are private first. */
static void separate(void)
{
	need(!unshare(CLONE_NEWNS), "mount namespace (errno %d)", errno);
	do_mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
}

/* Shares the namespace of its parent. */
static int sharing(void *arg)
{
	char parent[16];

	need(!chdir(test_path("more/in")), "chdir");
	checkpoint_task("sharing", 0);
	if (test_break() == 1)
		unshare(CLONE_NEWNS);
	snprintf(parent, sizeof(parent), "%d", getppid());
	check(ns_of("self") == ns_of(parent), "sharing: another namespace than the parent's");
	check(has_text("file", "of more"), "sharing: working directory");
	return 0;
}

static void send_fd(int fd)
{
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(sizeof(int))];
	} control = { .head = { CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS } };
	struct iovec byte = { "x", 1 };
	struct msghdr msg = {
		.msg_iov = &byte, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)
	};

	memcpy(CMSG_DATA(&control.head), &fd, sizeof(fd));
	need(sendmsg(channel[1], &msg, 0) == 1, "send a descriptor (errno %d)", errno);
}

static int receive_fd(void)
{
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(sizeof(int))];
	} control;
	char x;
	struct iovec byte = { &x, 1 };
	struct msghdr msg = {
		.msg_iov = &byte, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)
	};
	int fd;

	need(recvmsg(channel[0], &msg, 0) == 1, "receive a descriptor (errno %d)", errno);
	memcpy(&fd, CMSG_DATA(&control.head), sizeof(fd));
	return fd;
}

static struct sockaddr_un address_of(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	return addr;
}

static int listener(const char *path)
{
	struct sockaddr_un addr = address_of(path);
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	need(fd >= 0 && !bind(fd, (void *)&addr, sizeof(addr)) && !listen(fd, 1), "socket %s (errno %d)", path, errno);
	return fd;
}

static bool can_connect(const char *path)
{
	struct sockaddr_un addr = address_of(path);
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	bool ok = !connect(fd, (void *)&addr, sizeof(addr));

	close(fd);
	return ok;
}

static void build_grown(void)
{
	separate();
	do_mount("more", dir("more"), "tmpfs", MS_NOSUID | MS_NODEV, "size=400k,mode=750");
	dir("more/in");
	write_file(test_path("more/in/file"), "of more");
	need(!umount2(test_path("less"), 0), "umount (errno %d)", errno);
	do_mount(NULL, test_path("common"), NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL);
	do_mount(test_path("common/part"), dir("bound"), NULL, MS_BIND, NULL);
	/* A group that only this namespace has, and one more member. */
	do_mount(NULL, test_path("more"), NULL, MS_SHARED, NULL);
	do_mount(test_path("more/in"), dir("again"), NULL, MS_BIND, NULL);
	do_mount("over", dir("cover"), "tmpfs", 0, "size=100k");
	do_mount("cover", test_path("cover"), "tmpfs", 0, "size=200k");
}

static int grown(void *arg)
{
	static struct list before;
	pid_t child;
	int fd, sock;

	build_grown();
	write_file(test_path("cover/top"), "above");
	fd = open(test_path("more/in/file"), O_RDONLY);
	send_fd(fd);
	sock = listener("more/socket");
	need(lseek(fd, 3, SEEK_SET) == 3, "seek");
	child = fork_task(sharing, NULL);
	read_mounts(&before);
	checkpoint_task("grown", 0);
	if (test_break() == 2)
		umount2(test_path("more/in"), 0), umount2(test_path("again"), MNT_DETACH);
	compare("grown", &before);
	check(has_text(test_path("cover/top"), "above"), "grown: the upper file system");
	check(!is_mount(test_path("less")), "grown: what it had unmounted is there");
	check(has_text(test_path("bound/name"), "of all"), "grown: bind");
	check(open(test_path("common/x"), O_CREAT | O_WRONLY, 0600) < 0 && errno == EROFS, "grown: read-only");
	check(can_connect("more/socket"), "grown: socket");
	do_mount("new", dir("more/in/new"), "tmpfs", 0, NULL);
	check(is_mount(test_path("again/new")), "grown: peers");
	close(sock);
	join_task(child);
	return 0;
}

/* In the group of the mount "peer" of the root; its own mount of "slave" receives from it. */
static int peer(void *arg)
{
	static struct list before;

	need(!unshare(CLONE_NEWNS), "mount namespace (errno %d)", errno);
	do_mount(NULL, "/", NULL, MS_PRIVATE, NULL);
	do_mount(NULL, test_path("slave"), NULL, MS_SLAVE, NULL);
	read_mounts(&before);
	checkpoint_task("peer", 0);
	if (test_break() == 3)
		do_mount(NULL, test_path("slave"), NULL, MS_PRIVATE, NULL);
	compare("peer", &before);
	task_ready("compared");
	wait_go(1);
	check(is_mount(test_path("peer/in")), "peer: a mount of the root does not appear");
	check(is_mount(test_path("slave/in")), "slave: a mount of the root does not appear");
	do_mount("back", test_path("peer/back"), "tmpfs", 0, NULL);
	do_mount("back", test_path("slave/back"), "tmpfs", 0, NULL);
	task_ready("mounted");
	return 0;
}

/* The same file system in a third place, as its root. */
static int pivoted(void *arg)
{
	static struct list before;
	int file;

	separate();
	do_mount("root", dir("root"), "tmpfs", 0, "size=300k");
	need(!chdir(test_path("root")) && !mkdir("proc", 0755) && !mkdir("dir", 0700) && !mkdir("common", 0700),
	     "dirs");
	need(!mkdir("test", 0755), "mkdir");
	do_mount("proc", "proc", "proc", 0, NULL);
	do_mount(test_dir(), "test", NULL, MS_BIND, NULL);
	do_mount(test_path("common"), "common", NULL, MS_BIND, NULL);
	need(!syscall(SYS_pivot_root, ".", ".") && !umount2(".", MNT_DETACH) && !chdir("/dir"), "pivot_root (errno %d)",
	     errno);
	write_file("/dir/file", "of the root");
	file = open("/dir/file", O_RDWR | O_APPEND);
	read_mounts(&before);
	write_file("/test/at.pivoted", "");
	while (access("/test/go", F_OK))
		sleep_ms(2);
	if (test_break() == 4)
		umount2("/common", MNT_DETACH);
	compare("pivoted", &before);
	check(has_text("file", "of the root"), "pivoted: working directory");
	check(has_text("/dir/file", "of the root"), "pivoted: root");
	check(has_text("/common/part/name", "of all"), "pivoted: what it shares");
	check(write(file, "!", 1) == 1 && has_text("/dir/file", "of the root!"), "pivoted: open file");
	return 0;
}

static void build(void)
{
	do_mount("common", dir("common"), "tmpfs", 0, "size=500k");
	dir("common/part");
	write_file(test_path("common/part/name"), "of all");
	do_mount("less", dir("less"), "tmpfs", 0, "size=100k");
	do_mount("peer", dir("peer"), "tmpfs", 0, "size=100k");
	do_mount(NULL, test_path("peer"), NULL, MS_SHARED, NULL);
	dir("peer/in");
	dir("peer/back");
	do_mount(test_path("peer"), dir("slave"), NULL, MS_BIND, NULL);
}

/* Two tasks in turn: what one mounts has to be there before the other looks. */
static void try_groups(void)
{
	await_task("compared");
	do_mount("new", test_path("peer/in"), "tmpfs", 0, NULL);
	write_file(test_path("go.1"), "");
	await_task("mounted");
	check(is_mount(test_path("peer/back")), "a mount of the peer does not appear");
	check(is_mount(test_path("slave/back")), "a mount of the peer does not appear in another peer");
}

static bool reads(int fd, const char *text)
{
	char buf[64];
	ssize_t len = read(fd, buf, sizeof(buf));

	return len == (ssize_t)strlen(text) && !memcmp(buf, text, strlen(text));
}

int main(int argc, char **argv)
{
	static struct list before;
	pid_t tasks[3];
	int fd, fault;

	test_init(argc, argv);
	build();
	need(!socketpair(AF_UNIX, SOCK_DGRAM, 0, channel), "socket pair");
	tasks[0] = fork_task(grown, NULL);
	fd = receive_fd();
	tasks[1] = fork_task(peer, NULL);
	tasks[2] = fork_task(pivoted, NULL);
	await_task("grown");
	await_task("peer");
	await_task("pivoted");
	read_mounts(&before);
	fault = checkpoint_here();
	if (fault == 5)
		do_mount(NULL, test_path("peer"), NULL, MS_PRIVATE, NULL);
	if (fault == 6)
		lseek(fd, 0, SEEK_SET);
	compare("root", &before);
	check(reads(fd, "more"), "a file of another namespace");
	check(access(test_path("more/in"), F_OK) < 0, "a mount of another namespace is visible");
	try_groups();
	for (int i = 0; i < 3; i++)
		join_task(tasks[i]);
	test_done();
}
