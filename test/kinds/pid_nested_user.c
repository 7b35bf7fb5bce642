// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pid namespaces that belong to other user namespaces than that of the tree, as by unshare --user --map-root-user --pid --fork
 * --mount-proc: of root, with a proc of its own; of an ordinary user; one in another one, with a user namespace of its own, and
 * with the same; a process with threads that has entered the pid namespace only; sessions, groups, zombies. The same numbers in all
 * of them, and the same owners.
 * test: flavours=host,pid,user breaks=4 decode=yes
 */
#include "checkpoint.h"
#include <linux/nsfs.h>
#include <pthread.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define LEVELS 8

/* What a process sees of itself. */
struct seen {
	pid_t pid, tid, parent, group, session;
	uid_t uid;
	char numbers[3][64]; /* from the namespace of the root on: of the process, its group, its session */
	bool owned; /* its pid namespace belongs to its user namespace */
	char uid_map[64];
};

struct shared {
	pid_t own_init; /* as the root sees it */
	bool guest_ended;
};

static struct shared *shared;
/* How many numbers of the root its /proc shows before that of its own namespace. */
static int outer_levels;
static int proc = -1; /* of the root */

static int read_at(const char *path, char *text, size_t size)
{
	int fd = openat(proc, path, O_RDONLY), len = fd < 0 ? -1 : (int)read(fd, text, size - 1);

	close(fd);
	text[len < 0 ? 0 : len] = '\0';
	return len;
}

static void read_numbers(const char *status, const char *key, char to[64])
{
	const char *at = strstr(status, key);

	need(at, "%s", key);
	at += strlen(key);
	for (int i = 0; i < outer_levels; i++)
		at = strchr(at + 1, '\t');
	snprintf(to, 64, "%.*s", (int)strcspn(at, "\n"), at);
}

static bool owns_pid_ns(void)
{
	int user = openat(proc, "self/ns/user", O_RDONLY), pid = openat(proc, "self/ns/pid", O_RDONLY);
	int owner = ioctl(pid, NS_GET_USERNS);
	struct stat a = { 0 }, b = { 0 };
	bool owns = owner >= 0 && !fstat(user, &a) && !fstat(owner, &b) && a.st_ino == b.st_ino;

	close(user);
	close(pid);
	close(owner);
	return owns;
}

static struct seen look(void)
{
	struct seen s;
	char text[4096];

	memset(&s, 0, sizeof(s));
	s.pid = getpid();
	s.tid = (pid_t)syscall(SYS_gettid);
	s.parent = getppid();
	s.group = getpgrp();
	s.session = getsid(0);
	s.uid = getuid();
	need(read_at("thread-self/status", text, sizeof(text)) > 0, "status");
	read_numbers(text, "NSpid:", s.numbers[0]);
	read_numbers(text, "NSpgid:", s.numbers[1]);
	read_numbers(text, "NSsid:", s.numbers[2]);
	s.owned = owns_pid_ns();
	read_at("self/uid_map", s.uid_map, sizeof(s.uid_map));
	return s;
}

static void same(const char *name, const struct seen *was)
{
	struct seen now = look();

	for (int i = 0; i < 3; i++)
		check(!strcmp(was->numbers[i], now.numbers[i]), "%s: numbers%s were%s", name, now.numbers[i],
		      was->numbers[i]);
	check(now.pid == was->pid && now.tid == was->tid && now.parent == was->parent && now.group == was->group &&
		      now.session == was->session && now.uid == was->uid,
	      "%s: pid %d, thread %d, parent %d, group %d, session %d, user %u", name, now.pid, now.tid, now.parent,
	      now.group, now.session, now.uid);
	check(now.owned == was->owned, "%s: its user namespace %s its pid namespace", name,
	      now.owned ? "owns" : "does not own");
	check(!strcmp(now.uid_map, was->uid_map), "%s: uid_map %s was %s", name, now.uid_map, was->uid_map);
}

static void stay(const char *name, int breaks)
{
	struct seen was = look();

	checkpoint_task(name, 0);
	if (breaks && test_break() == breaks)
		setsid();
	if (breaks == 2 && test_break() == 2)
		setpgid(0, 0);
	same(name, &was);
}

static void map_self(unsigned outer)
{
	char text[64];

	need(!prctl(PR_SET_DUMPABLE, 1), "dumpable");
	write_file("/proc/self/setgroups", "deny");
	snprintf(text, sizeof(text), "0 %u 1", outer);
	write_file("/proc/self/uid_map", text);
	write_file("/proc/self/gid_map", text);
}

/* Its proc is that of another pid namespace: files of it are not what is tested. */
static int plain(void *name)
{
	stay(name, 1);
	return 0;
}

static int own_session(void *name)
{
	need(setsid() > 0, "setsid");
	stay(name, 0);
	return 0;
}

static int leave(void *arg)
{
	return 7;
}

static int fork_next(void *arg)
{
	return getpid() == *(pid_t *)arg ? 0 : 1;
}

/* The numbers go on where they were. */
static void check_next(const char *name, pid_t last)
{
	pid_t want = last + 1, pid = fork_task(fork_next, &want);

	check(pid == want, "%s: the next pid is %d, not %d", name, pid, want);
	join_task(pid);
}

static int innermost(void *name)
{
	stay(name, 2);
	check_next(name, 1);
	return 0;
}

/* Children of the init are in a pid namespace that its user namespace owns: it sees their end. */
static int in_another(void *flags)
{
	pid_t init;

	need(!unshare((int)(intptr_t)flags), "unshare: %m");
	if ((int)(intptr_t)flags & CLONE_NEWUSER)
		map_self(0);
	init = fork_task(innermost, (int)(intptr_t)flags & CLONE_NEWUSER ? "inner: init" : "same: init");
	await_task((int)(intptr_t)flags & CLONE_NEWUSER ? "inner: init" : "same: init");
	stay((int)(intptr_t)flags & CLONE_NEWUSER ? "inner" : "same", 0);
	join_task(init);
	return 0;
}

static void check_zombie(pid_t pid)
{
	int status = 0;

	check(waitpid(pid, &status, 0) == pid && status == 7 << 8, "zombie %d: status %#x", pid, status);
}

static int own_init(void *name)
{
	char text[64], link[32] = "";
	pid_t kids[3], zombie;
	struct seen was;

	need(!mount("proc", "/proc", "proc", 0, NULL), "proc: %m");
	was = look();
	shared->own_init = (pid_t)strtol(was.numbers[0], NULL, 10);
	kids[0] = fork_task(own_session, "own: session");
	await_task("own: session");
	kids[1] = fork_task(in_another, (void *)(intptr_t)(CLONE_NEWUSER | CLONE_NEWPID));
	await_task("inner");
	kids[2] = fork_task(in_another, (void *)(intptr_t)CLONE_NEWPID);
	await_task("same");
	zombie = fork_task(leave, NULL);
	need(!waitid(P_PID, (id_t)zombie, &(siginfo_t){ 0 }, WEXITED | WNOWAIT), "zombie");
	checkpoint_task(name, 0);
	if (test_break() == 3)
		need(!umount2("/proc", MNT_DETACH), "umount: %m");
	same(name, &was);
	check(readlink("/proc/self", link, sizeof(link) - 1) > 0 && !strcmp(link, "1"), "/proc/self: %s", link);
	check(read_file("/proc/1/comm", text, sizeof(text)) > 0, "/proc/1/comm");
	check_zombie(zombie);
	for (int i = 0; i < 3; i++)
		join_task(kids[i]);
	while (!*(volatile bool *)&shared->guest_ended)
		sleep_ms(1);
	return 0;
}

static int own(void *arg)
{
	pid_t init;

	if (unshare(CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS))
		test_skip("no user namespaces");
	map_self(0);
	init = fork_task(own_init, "own: init");
	await_task("own: init");
	stay("own", 0);
	join_task(init);
	return 0;
}

static int ordinary(void *arg)
{
	pid_t init;

	need(!setresgid(500, 500, 500) && !setresuid(500, 500, 500), "ids");
	need(!unshare(CLONE_NEWUSER | CLONE_NEWPID), "unshare: %m");
	map_self(500);
	init = fork_task(plain, "ordinary: init");
	await_task("ordinary: init");
	stay("ordinary", 0);
	join_task(init);
	return 0;
}

static void *thread(void *arg)
{
	struct seen was = look();

	task_ready("guest: thread");
	wait_go(0);
	same("guest: thread", &was);
	return NULL;
}

/* In the user namespace of the root. */
static int guest(void *arg)
{
	pthread_t id;

	need(!pthread_create(&id, NULL, thread, NULL), "thread");
	await_task("guest: thread");
	stay("guest", 0);
	pthread_join(id, NULL);
	return 0;
}

static pid_t fork_guest(void)
{
	int there = (int)syscall(SYS_pidfd_open, shared->own_init, 0), back = (int)syscall(SYS_pidfd_open, getpid(), 0);
	pid_t pid;

	need(there >= 0 && back >= 0 && !setns(there, CLONE_NEWPID), "enter: %m");
	pid = fork_task(guest, NULL);
	need(!setns(back, CLONE_NEWPID), "return: %m");
	close(there);
	close(back);
	await_task("guest");
	return pid;
}

static void find_outer_levels(void)
{
	char text[4096], *at;

	need(read_at("self/status", text, sizeof(text)) > 0, "status");
	at = strstr(text, "NSpid:");
	need(at, "NSpid");
	for (at += strlen("NSpid:"); *at != '\n'; at++)
		outer_levels += *at == '\t';
	outer_levels--;
}

int main(int argc, char **argv)
{
	pid_t tasks[2], entered;

	test_init(argc, argv);
	proc = open("/proc", O_PATH | O_DIRECTORY);
	need(proc >= 0, "/proc");
	find_outer_levels();
	shared = map_anon(4096, MAP_SHARED);
	tasks[0] = fork_task(own, NULL);
	await_task("own");
	tasks[1] = fork_task(ordinary, NULL);
	await_task("ordinary");
	entered = fork_guest();
	if (checkpoint_here() == 4)
		kill(shared->own_init, SIGKILL);
	join_task(entered);
	*(volatile bool *)&shared->guest_ended = true;
	for (int i = 0; i < 2; i++)
		join_task(tasks[i]);
	test_done();
}
