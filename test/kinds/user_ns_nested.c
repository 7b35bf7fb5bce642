// SPDX-License-Identifier: GPL-2.0-only
/*
 * User namespaces of some processes only: of root, of an ordinary user with groups that are not mapped, one without any map, one in
 * another one; maps, owners, parents, which namespaces they own, capabilities, securebits, no_new_privs, a filter that only the
 * capabilities there allowed, files that were opened before and after.
 * test: flavours=host,user breaks=8 decode=yes
 */
#include "checkpoint.h"
#include <grp.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/nsfs.h>
#include <linux/seccomp.h>
#include <linux/securebits.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/utsname.h>

#define TEXTS 4

enum { OWN, ORDINARY, UNMAPPED, INNER, CHILD, TASKS };
static const char *const names[TASKS] = { "own", "ordinary", "unmapped", "inner", "child" };
static const char *const texts[TEXTS] = { "uid_map", "gid_map", "projid_map", "setgroups" };

static int looked; /* an eventfd: they have checked themselves */
static int hold; /* an eventfd: they stay until they have been looked at */
static pid_t *numbers; /* in /proc, of all of them: in shared memory */

/* What a process sees of itself. */
struct seen {
	uid_t uid[3];
	gid_t gid[3], groups[8];
	int nr_groups, securebits, nnp, filter, nice;
	unsigned caps[6];
	unsigned long long bounding;
	char text[TEXTS][512], host[65];
};

static void look(struct seen *s)
{
	struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct utsname name;
	char path[64];

	memset(s, 0, sizeof(*s));
	getresuid(&s->uid[0], &s->uid[1], &s->uid[2]);
	getresgid(&s->gid[0], &s->gid[1], &s->gid[2]);
	s->nr_groups = getgroups(8, s->groups);
	s->securebits = prctl(PR_GET_SECUREBITS);
	s->nnp = prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0);
	s->filter = prctl(PR_GET_SECCOMP);
	need(!syscall(SYS_capget, &head, s->caps), "capget");
	for (int i = 0; i < 64; i++)
		s->bounding |= (unsigned long long)(prctl(PR_CAPBSET_READ, i, 0, 0, 0) == 1) << i;
	for (int i = 0; i < TEXTS; i++) {
		snprintf(path, sizeof(path), "/proc/self/%s", texts[i]);
		read_file(path, s->text[i], sizeof(s->text[i]));
	}
	uname(&name);
	strcpy(s->host, name.nodename);
	s->nice = getpriority(PRIO_PROCESS, 0);
}

static void check_same(int nr, const struct seen *was)
{
	const char *name = names[nr];
	struct seen now;

	look(&now);
	check(!memcmp(now.uid, was->uid, sizeof(now.uid)) && !memcmp(now.gid, was->gid, sizeof(now.gid)),
	      "%s: ids %u %u %u %u, were %u %u %u %u", name, now.uid[0], now.uid[1], now.gid[0], now.gid[1],
	      was->uid[0], was->uid[1], was->gid[0], was->gid[1]);
	check(now.nr_groups == was->nr_groups && !memcmp(now.groups, was->groups, sizeof(now.groups)),
	      "%s: %d groups (%u), were %d (%u)", name, now.nr_groups, now.groups[0], was->nr_groups, was->groups[0]);
	check(now.securebits == was->securebits && now.nnp == was->nnp && now.filter == was->filter,
	      "%s: securebits %x, nnp %d, filter %d; were %x, %d, %d", name, now.securebits, now.nnp, now.filter,
	      was->securebits, was->nnp, was->filter);
	check(!memcmp(now.caps, was->caps, sizeof(now.caps)), "%s: capabilities %x %x %x, were %x %x %x", name,
	      now.caps[0], now.caps[1], now.caps[2], was->caps[0], was->caps[1], was->caps[2]);
	check(now.bounding == was->bounding, "%s: bounding set %llx, was %llx", name, now.bounding, was->bounding);
	for (int i = 0; i < TEXTS; i++)
		check(!strcmp(now.text[i], was->text[i]), "%s: %s %s, was %s", name, texts[i], now.text[i],
		      was->text[i]);
	check(!strcmp(now.host, was->host), "%s: host name %s, was %s", name, now.host, was->host);
	check(now.nice == was->nice, "%s: nice %d, was %d", name, now.nice, was->nice);
}

/* ---- from outside ---- */

struct relation {
	ino_t user, parent, grandparent, uts, net; /* user namespaces: its own, two above that, the owners of others */
	uid_t owner;
};

static ino_t inode(int fd)
{
	struct stat st = { 0 };

	return fd < 0 || fstat(fd, &st) ? 0 : st.st_ino;
}

/* The number in /proc, which is that of another pid namespace in some flavours. */
static pid_t number_in_proc(void)
{
	char text[16] = "";

	need(readlink("/proc/self", text, sizeof(text) - 1) > 0, "/proc/self");
	return atoi(text);
}

static int open_ns(pid_t pid, const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/ns/%s", pid, name);
	return open(path, O_RDONLY | O_CLOEXEC);
}

static ino_t owner_of(pid_t pid, const char *name)
{
	int fd = open_ns(pid, name), owner = ioctl(fd, NS_GET_USERNS);
	ino_t ino = inode(owner);

	close(fd);
	close(owner);
	return ino;
}

static struct relation relation_of(pid_t pid)
{
	int fd = open_ns(pid, "user"), parent = ioctl(fd, NS_GET_PARENT), grandparent = ioctl(parent, NS_GET_PARENT);
	struct relation r = { inode(fd), inode(parent), inode(grandparent), owner_of(pid, "uts"), owner_of(pid, "net"),
			      0 };

	need(fd >= 0 && !ioctl(fd, NS_GET_OWNER_UID, &r.owner), "owner: %m");
	close(fd);
	close(parent);
	close(grandparent);
	return r;
}

static void check_relations(void)
{
	struct relation root = relation_of(number_in_proc()), own = relation_of(numbers[OWN]);

	check(own.parent == root.user && own.uts == own.user && own.net == own.user && !own.owner,
	      "own: owner %u, its parent or what it owns is wrong", own.owner);
	for (int i = ORDINARY; i < INNER; i++) {
		struct relation r = relation_of(numbers[i]);

		check(r.parent == root.user && r.uts == root.uts && r.owner == (i == ORDINARY ? 500 : 501),
		      "%s: owner %u; parent %lu, uts %lu; of the root %lu, %lu", names[i], r.owner, r.parent, r.uts,
		      root.user, root.uts);
	}
	own = relation_of(numbers[INNER]);
	check(own.grandparent == root.user && own.uts == own.user && own.net == root.net && !own.owner,
	      "inner: owner %u, its parent or what it owns is wrong", own.owner);
}

/* ---- the processes ---- */

static void map_self(unsigned inner_uid, unsigned uid, unsigned inner_gid, unsigned gid)
{
	char text[64];

	need(!prctl(PR_SET_DUMPABLE, 1), "dumpable");
	write_file("/proc/self/setgroups", "deny");
	snprintf(text, sizeof(text), "%u %u 1", inner_uid, uid);
	write_file("/proc/self/uid_map", text);
	snprintf(text, sizeof(text), "%u %u 1", inner_gid, gid);
	write_file("/proc/self/gid_map", text);
}

static void wait_and_check(int nr)
{
	struct seen was;
	uint64_t one;

	need(!prctl(PR_SET_DUMPABLE, 1), "dumpable");
	numbers[nr] = number_in_proc();
	look(&was);
	checkpoint_task(names[nr], 0);
	if (test_break() == 1 && nr == OWN)
		need(!sethostname("changed", 7), "sethostname");
	if (test_break() == 2 && nr == CHILD)
		need(!unshare(CLONE_NEWUSER), "unshare");
	if (test_break() == 3 && nr == ORDINARY)
		need(!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs");
	if (test_break() == 4 && nr == INNER)
		need(!prctl(PR_CAPBSET_DROP, CAP_SYS_BOOT, 0, 0, 0), "bounding set");
	if (test_break() == 5 && nr == OWN)
		need(!prctl(PR_SET_SECUREBITS, SECBIT_NOROOT | SECBIT_KEEP_CAPS), "securebits");
	if (test_break() == 6 && nr == UNMAPPED)
		need(!setpriority(PRIO_PROCESS, 0, 7), "nice");
	check_same(nr, &was);
	numbers[nr] = number_in_proc();
	need(write(looked, &(uint64_t){ 1 }, sizeof(one)) == sizeof(one), "eventfd");
	need(read(hold, &one, sizeof(one)) == sizeof(one), "eventfd");
}

/* The same user namespace as its parent, but without capabilities; a filter that those allowed. */
static int child(void *arg)
{
	struct sock_filter code[] = { BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW) };
	struct sock_fprog filter = { 1, code };
	struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[2] = { 0 };

	need(!prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter), "filter: %m");
	need(!syscall(SYS_capset, &head, data), "capset");
	wait_and_check(CHILD);
	return 0;
}

/* Root in its own, which owns a UTS namespace and a network. */
static int own(void *arg)
{
	int before = open(test_path("before"), O_RDWR | O_CREAT, 0600), after;
	struct stat st = { 0 };
	char text[8] = "";
	pid_t pid;

	need(before >= 0, "file");
	if (unshare(CLONE_NEWUSER | CLONE_NEWUTS | CLONE_NEWNET))
		test_skip("no user namespaces");
	map_self(0, 0, 0, 0);
	need(!sethostname("own", 3), "host name");
	need(!prctl(PR_SET_SECUREBITS, SECBIT_NOROOT), "securebits");
	pid = fork_task(child, NULL);
	after = open(test_path("after"), O_RDWR | O_CREAT, 0600);
	need(after >= 0 && write(after, "after", 5) == 5 && !unlink(test_path("after")), "file");
	wait_and_check(OWN);
	if (test_break() == 7)
		need(pwrite(after, "x", 1, 0) == 1, "write");
	check(write(before, "x", 1) == 1 && pread(after, text, 5, 0) == 5 && !strcmp(text, "after"), "files: %s", text);
	check(!fstat(after, &st) && !st.st_uid && !st.st_nlink, "file of %u", st.st_uid);
	join_task(pid);
	return 0;
}

static int ordinary(void *arg)
{
	static const gid_t groups[] = { 7, 4711 };
	int file;

	need(!setgroups(2, groups) && !setresgid(600, 600, 600) && !setresuid(500, 500, 500), "ids");
	need(!unshare(CLONE_NEWUSER), "unshare: %m");
	map_self(0, 500, 0, 600);
	file = open(test_path("his"), O_RDWR | O_CREAT, 0600);
	need(file >= 0, "file: %m");
	wait_and_check(ORDINARY);
	check(write(file, "x", 1) == 1, "file");
	return 0;
}

static int unmapped(void *arg)
{
	need(!setresgid(700, 600, 700) && !setresuid(500, 501, 502), "ids");
	need(!unshare(CLONE_NEWUSER), "unshare: %m");
	wait_and_check(UNMAPPED);
	return 0;
}

/* In the user namespace of a process that waits, which is one level above its own. */
static int inner(void *arg)
{
	wait_and_check(INNER);
	return 0;
}

static int enter_twice(void *arg)
{
	need(!unshare(CLONE_NEWUSER), "unshare: %m");
	map_self(10, 0, 20, 0);
	pid_t pid = fork();

	if (!pid) {
		need(!unshare(CLONE_NEWUSER | CLONE_NEWUTS), "unshare: %m");
		map_self(5, 10, 6, 20);
		_exit(inner(NULL));
	}
	checkpoint_task("outer", 0);
	join_task(pid);
	return 0;
}

int main(int argc, char **argv)
{
	static int (*const fns[])(void *) = { own, ordinary, unmapped, enter_twice };
	pid_t pids[INNER], enterer;
	uint64_t one;

	test_init(argc, argv);
	looked = eventfd(0, EFD_SEMAPHORE);
	hold = eventfd(0, EFD_SEMAPHORE);
	numbers = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	for (int i = 0; i < INNER; i++) {
		pids[i] = fork_task(fns[i], NULL);
		await_task(names[i]);
	}
	await_task("child");
	enterer = fork_task(enter_twice, NULL);
	await_task("outer");
	await_task("inner");
	check_relations();
	checkpoint_here();
	for (int i = 0; i < TASKS; i++)
		need(read(looked, &one, sizeof(one)) == sizeof(one), "eventfd");
	if (test_break() == 8)
		numbers[OWN] = numbers[ORDINARY];
	check_relations();
	need(write(hold, &(uint64_t){ TASKS }, sizeof(uint64_t)) == sizeof(uint64_t), "eventfd");
	for (int i = 0; i < INNER; i++)
		join_task(pids[i]);
	join_task(enterer);
	test_done();
}
