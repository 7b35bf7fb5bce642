// SPDX-License-Identifier: GPL-2.0-only
/*
 * A tree in its own user namespace: several ranges of ids, setgroups denied with groups that are not mapped, processes with other
 * ids, capabilities, securebits, no_new_privs and a filter that only their capabilities there allowed; what they
 * own; an IPC namespace that belongs to it, a UTS namespace from outside. Standard output is a file of the outer root.
 * test: breaks=7 decode=yes
 */
#include "checkpoint.h"
#include <grp.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/nsfs.h>
#include <linux/securebits.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>

#define UIDS "0 100000 1000\n5000 200000 10\n9000 5 1\n"
#define PROJECTS "0 70 5\n"
#define GIDS "0 100000 1000\n7000 300000 5\n"

static const gid_t outer_groups[] = { 7, 4711, 100005, 300001 };
/* As seen inside: unmapped ones are the overflow id. */
static const gid_t groups[] = { 65534, 65534, 5, 7001 };

static int go[2], entered[2];

static void put(const char *file, const char *text)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", getppid(), file);
	write_file(path, text);
}

/* Outside: only from there can maps be written. */
static int map_ids(void *arg)
{
	char c;

	need(read(entered[0], &c, 1) == 1, "the parent is in its namespace");
	put("setgroups", "deny");
	put("uid_map", UIDS);
	put("gid_map", GIDS);
	put("projid_map", PROJECTS);
	return 0;
}

static void enter(void)
{
	pid_t mapper;

	need(!pipe(go) && !pipe(entered), "pipes");
	if (unshare(CLONE_NEWUTS))
		test_skip("needs root");
	need(!sethostname("outer", 5), "host name");
	need(!setgroups(4, outer_groups), "groups");
	mapper = fork_task(map_ids, NULL);
	if (unshare(CLONE_NEWUSER))
		test_skip("no user namespaces");
	need(write(entered[1], "x", 1) == 1, "pipe");
	join_task(mapper);
	need(!setresgid(0, 0, 0) && !setresuid(0, 0, 0) && !prctl(PR_SET_DUMPABLE, 1), "ids");
	need(!unshare(CLONE_NEWIPC), "IPC namespace");
	need(msgget(1, IPC_CREAT | 0600) >= 0, "message queue");
	for (int i = 0; i < 2; i++)
		close(go[i]), close(entered[i]);
}

/* ---- what a process is ---- */

static void check_ids(uid_t uid, uid_t euid, uid_t suid, gid_t gid)
{
	uid_t u[3] = { 0 };
	gid_t g[3] = { 0 }, have[8] = { 0 };

	check(!getresuid(&u[0], &u[1], &u[2]) && u[0] == uid && u[1] == euid && u[2] == suid, "user ids %u %u %u", u[0],
	      u[1], u[2]);
	check(!getresgid(&g[0], &g[1], &g[2]) && g[0] == gid && g[1] == gid && g[2] == gid, "group ids %u %u %u", g[0],
	      g[1], g[2]);
	check(getgroups(8, have) == 4 && !memcmp(have, groups, sizeof(groups)), "groups %u %u %u %u", have[0], have[1],
	      have[2], have[3]);
	check(setgroups(0, NULL) < 0 && errno == EPERM, "setgroups is allowed");
}

static void get_caps(unsigned long long ret[3])
{
	struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[2] = { 0 };

	syscall(SYS_capget, &head, data);
	ret[0] = data[0].effective | (unsigned long long)data[1].effective << 32;
	ret[1] = data[0].permitted | (unsigned long long)data[1].permitted << 32;
	ret[2] = data[0].inheritable | (unsigned long long)data[1].inheritable << 32;
}

static void set_caps(unsigned long long effective, unsigned long long permitted, unsigned long long inheritable)
{
	struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[2] = {
		{ (__u32)effective, (__u32)permitted, (__u32)inheritable },
		{ effective >> 32, permitted >> 32, inheritable >> 32 },
	};

	need(!syscall(SYS_capset, &head, data), "capset: %s", strerror(errno));
}

static ino_t ns_ino(const char *name)
{
	struct stat st = { 0 };
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/ns/%s", name);
	need(!stat(path, &st), "%s", path);
	return st.st_ino;
}

/* The inode of the user namespace that owns a namespace; 0: it is outside. */
static ino_t owner_of(const char *name)
{
	struct stat st = { 0 };
	char path[64];
	int fd, owner;

	snprintf(path, sizeof(path), "/proc/self/ns/%s", name);
	fd = open(path, O_RDONLY);
	owner = ioctl(fd, NS_GET_USERNS);
	check(owner >= 0 || errno == EPERM, "%s: %s", name, strerror(errno));
	if (owner >= 0)
		fstat(owner, &st);
	close(owner);
	close(fd);
	return st.st_ino;
}

/* ---- processes ---- */

/* An ordinary user, who cannot get capabilities any more, and what belongs to him. */
static int ordinary(void *arg)
{
	int file, mem, pair[2];
	struct ucred cred = { 0 };
	socklen_t len = sizeof(cred);
	struct stat st = { 0 };

	need(!setresgid(7004, 7004, 7004) && !setresuid(5003, 5009, 9000) && !prctl(PR_SET_DUMPABLE, 1), "ids");
	need(!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs");
	file = open(test_path("file"), O_RDWR | O_CREAT | O_EXCL, 0640);
	need(file >= 0 && write(file, "text", 4) == 4 && !unlink(test_path("file")), "file: %s", strerror(errno));
	mem = memfd_create("memory", 0);
	need(mem >= 0 && !socketpair(AF_UNIX, SOCK_STREAM, 0, pair), "memfd, sockets");
	checkpoint_task("ordinary", 0);
	if (test_break() == 1)
		need(!setresuid(-1, 9000, -1), "ids");
	check_ids(5003, 5009, 9000, 7004);
	check(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1, "no_new_privs");
	if (test_break() == 2)
		need(!fchown(file, -1, 7001), "chown");
	check(!fstat(file, &st) && st.st_uid == 5009 && st.st_gid == 7004 && !st.st_nlink, "file of %u:%u, %lu links",
	      st.st_uid, st.st_gid, st.st_nlink);
	check(!fstat(mem, &st) && st.st_uid == 5009 && st.st_gid == 7004, "memfd of %u:%u", st.st_uid, st.st_gid);
	check(!getsockopt(pair[0], SOL_SOCKET, SO_PEERCRED, &cred, &len) && cred.uid == 5009 && cred.gid == 7004 &&
		      cred.pid == getpid(),
	      "peer %d, %u:%u", cred.pid, cred.uid, cred.gid);
	return 0;
}

#define SOME_BITS (SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_KEEP_CAPS_LOCKED)
#define SOME_CAPS (1ull << CAP_NET_RAW | 1ull << CAP_SYS_RESOURCE | 1ull << CAP_SETPCAP)

static int capable(void *arg)
{
	unsigned long long caps[3];

	need(!prctl(PR_SET_SECUREBITS, SOME_BITS), "securebits");
	need(!prctl(PR_CAPBSET_DROP, CAP_SYS_BOOT, 0, 0, 0), "bounding set");
	set_caps(1ull << CAP_NET_RAW, SOME_CAPS, 1ull << CAP_NET_RAW);
	need(!prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_NET_RAW, 0, 0), "ambient set");
	checkpoint_task("capable", 0);
	if (test_break() == 3)
		prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	if (test_break() == 4)
		set_caps(1ull << CAP_SYS_RESOURCE, SOME_CAPS, 1ull << CAP_NET_RAW);
	get_caps(caps);
	check(caps[0] == 1ull << CAP_NET_RAW && caps[1] == SOME_CAPS && caps[2] == 1ull << CAP_NET_RAW,
	      "capabilities %llx %llx %llx", caps[0], caps[1], caps[2]);
	check(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_NET_RAW, 0, 0) == 1, "ambient set");
	check(prctl(PR_CAPBSET_READ, CAP_SYS_BOOT, 0, 0, 0) == 0 && prctl(PR_CAPBSET_READ, CAP_SYS_ADMIN, 0, 0, 0) == 1,
	      "bounding set");
	check(prctl(PR_GET_SECUREBITS) == SOME_BITS, "securebits %x", prctl(PR_GET_SECUREBITS));
	check_ids(0, 0, 0, 0);
	return 0;
}

/* personality(2) fails with ENOTTY. Without no_new_privs: only with CAP_SYS_ADMIN. */
static int filtered(void *arg)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_personality, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOTTY),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog filter = { 4, code };
	unsigned long long caps[3];

	need(!prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter), "filter: %s", strerror(errno));
	set_caps(0, 0, 0);
	checkpoint_task("filtered", 0);
	if (test_break() == 5)
		need(!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs");
	check(syscall(SYS_personality, 0xffffffff) < 0 && errno == ENOTTY, "the filter is missing");
	check(!prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), "no_new_privs");
	get_caps(caps);
	check(!caps[0] && !caps[1], "capabilities %llx %llx", caps[0], caps[1]);
	return 0;
}

static int (*const tasks[])(void *) = { ordinary, capable, filtered };
static const char *const names[] = { "ordinary", "capable", "filtered" };

static void check_maps(const char *uids, const char *gids)
{
	char text[512];

	read_file("/proc/self/uid_map", text, sizeof(text));
	check(!strcmp(text, uids), "uid_map: %s", text);
	read_file("/proc/self/projid_map", text, sizeof(text));
	check(strstr(text, " 70 ") && strstr(text, " 5\n"), "projid_map: %s", text);
	read_file("/proc/self/gid_map", text, sizeof(text));
	check(!strcmp(text, gids), "gid_map: %s", text);
	read_file("/proc/self/setgroups", text, sizeof(text));
	check(!strcmp(text, "deny\n"), "setgroups: %s", text);
}

static void check_owners(void)
{
	struct msqid_ds queue = { 0 };
	struct utsname name;

	check(!uname(&name) && !strcmp(name.nodename, "outer"), "host name %s", name.nodename);
	check(owner_of("ipc") == ns_ino("user"), "the IPC namespace belongs to another user namespace");
	check(!msgctl(msgget(1, 0), IPC_STAT, &queue) && !queue.msg_perm.uid && !queue.msg_perm.cgid,
	      "message queue of %u:%u", queue.msg_perm.uid, queue.msg_perm.cgid);
	check(sethostname("inner", 5) < 0 && errno == EPERM, "the host name of the outer namespace can be set");
	check(!owner_of("uts") && !owner_of("pid") && !owner_of("net"), "namespaces from outside belong to this one");
}

int main(int argc, char **argv)
{
	char uids[512], gids[512];
	unsigned long long caps[3];
	pid_t pids[3];

	test_init(argc, argv);
	enter();
	read_file("/proc/self/uid_map", uids, sizeof(uids));
	read_file("/proc/self/gid_map", gids, sizeof(gids));
	for (int i = 0; i < 3; i++) {
		pids[i] = fork_task(tasks[i], NULL);
		await_task(names[i]);
	}
	switch (checkpoint_here()) {
	case 6:
		need(!msgctl(msgget(1, 0), IPC_RMID, NULL), "queue");
		break;
	case 7:
		need(!unshare(CLONE_NEWUTS), "unshare");
	}
	check_maps(uids, gids);
	check_ids(0, 0, 0, 0);
	get_caps(caps);
	check(caps[0] == caps[1] && caps[0] & 1ull << CAP_SYS_RESOURCE && caps[0] & 1ull << CAP_SYS_ADMIN,
	      "capabilities %llx %llx", caps[0], caps[1]);
	check_owners();
	for (int i = 0; i < 3; i++)
		join_task(pids[i]);
	test_done();
}
