// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pid namespaces nested in that of the tree: one in another, processes that entered them from outside, orphans, threads,
 * sessions and groups from inside and outside, zombies that were the init of one; each sees the same numbers, in all of them.
 * Namespaces for children, and descriptors of namespaces and processes across them.
 * test: breaks=4 decode=yes flavours=host,pid,nested
 */
#include "checkpoint.h"
#include <linux/sched.h>
#include <pthread.h>
#include <sched.h>
#include <sys/syscall.h>
#include <sys/wait.h>

struct shared {
	pid_t y_init; /* as the root sees it */
	pid_t root_now; /* as /proc shows it, after the checkpoint */
	ino_t ns_now;
	bool guests_ended, unshared_ended; /* those that end with the init of their namespace */
};

/* How many numbers of the root /proc shows before that of its own namespace. */
static int outer_levels;
static struct shared *shared;

struct numbers {
	char pids[64], pgids[64], sids[64];
	pid_t pid, tid, parent, group, session;
};

/* The numbers after @key in the status of the calling thread, from the namespace of the root on. */
static void read_numbers(const char *key, char *to, size_t size)
{
	char text[4096], *at;

	need(read_file("/proc/thread-self/status", text, sizeof(text)) > 0, "status");
	at = strstr(text, key);
	need(at, "%s", key);
	at += strlen(key);
	for (int i = 0; i < outer_levels; i++)
		at = strchr(at + 1, '\t');
	snprintf(to, size, "%.*s", (int)strcspn(at, "\n"), at);
}

static struct numbers look(void)
{
	struct numbers n = { .pid = getpid(),
			     .tid = (pid_t)syscall(SYS_gettid),
			     .parent = getppid(),
			     .group = getpgrp(),
			     .session = getsid(0) };

	read_numbers("NSpid:", n.pids, sizeof(n.pids));
	read_numbers("NSpgid:", n.pgids, sizeof(n.pgids));
	read_numbers("NSsid:", n.sids, sizeof(n.sids));
	return n;
}

static void same(const char *name, const struct numbers *was)
{
	struct numbers now = look();

	check(!strcmp(was->pids, now.pids), "%s: pids%s were%s", name, now.pids, was->pids);
	check(!strcmp(was->pgids, now.pgids), "%s: groups%s were%s", name, now.pgids, was->pgids);
	check(!strcmp(was->sids, now.sids), "%s: sessions%s were%s", name, now.sids, was->sids);
	check(now.pid == was->pid && now.tid == was->tid && now.parent == was->parent && now.group == was->group &&
		      now.session == was->session,
	      "%s: pid %d, thread %d, parent %d, group %d, session %d", name, now.pid, now.tid, now.parent, now.group,
	      now.session);
}

static pid_t clone_into(uint64_t flags, int (*fn)(void *), void *arg)
{
	struct clone_args args = { .flags = flags, .exit_signal = SIGCHLD };
	pid_t pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));

	need(pid >= 0, "clone3: %s", strerror(errno));
	if (!pid)
		_exit(fn(arg));
	return pid;
}

static int open_process(pid_t pid)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);

	need(fd >= 0, "pidfd of %d: %s", pid, strerror(errno));
	return fd;
}

static ino_t ns_of(const char *link)
{
	struct stat st;

	return stat(link, &st) ? 0 : st.st_ino;
}

/* A child in the pid namespace of @member. */
static pid_t entering_child(pid_t member, int (*fn)(void *), void *arg)
{
	int there = open_process(member), back = open_process(getpid());
	pid_t pid;

	need(!setns(there, CLONE_NEWPID), "enter: %s", strerror(errno));
	pid = fork();
	if (!pid)
		_exit(fn(arg));
	need(!setns(back, CLONE_NEWPID), "return: %s", strerror(errno));
	close(there);
	close(back);
	return pid;
}

/* ---- programs ---- */

static int plain(void *name)
{
	struct numbers n = look();

	checkpoint_task(name, 0);
	if (test_break() == 1 && !strcmp(name, "x: child"))
		setsid();
	same(name, &n);
	return 0;
}

static int own_session(void *name)
{
	setsid();
	return plain(name);
}

static int own_group(void *name)
{
	setpgid(0, 0);
	return plain(name);
}

static int orphan(void *name)
{
	if (fork())
		_exit(0);
	while (getppid() != 1)
		sleep_ms(1);
	return plain(name);
}

static void *thread_main(void *arg)
{
	struct numbers n = look();

	task_ready("x: thread");
	wait_go(0);
	same("x: thread", &n);
	return NULL;
}

static int with_child(void *name)
{
	pid_t kid = fork_task(plain, "entered: child");

	await_task("entered: child");
	plain(name);
	join_task(kid);
	return 0;
}

static void await_flag(volatile bool *flag)
{
	while (!*flag)
		sleep_ms(1);
}

static int init_y(void *name)
{
	char number[16];
	pid_t kid;

	/* The first one is that of the root's namespace. */
	read_numbers("NSpid:", number, sizeof(number));
	shared->y_init = (pid_t)strtol(number, NULL, 10);
	kid = fork_task(own_group, "y: group");
	await_task("y: group");
	plain(name);
	join_task(kid);
	await_flag(&shared->guests_ended);
	return 0;
}

/* @root: a pidfd; @ns: both of the outer namespace, not visible here. */
static int outer_files(int root, int ns)
{
	char path[64], text[1024], *at;
	struct stat st;

	checkpoint_task("x: files", 0);
	while (!*(volatile pid_t *)&shared->root_now)
		sleep_ms(1);
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", root);
	need(read_file(path, text, sizeof(text)) > 0, "fdinfo");
	at = strstr(text, "Pid:\t");
	check(at && strtol(at + 5, NULL, 10) == shared->root_now, "pidfd of the root, %d: %s", shared->root_now, text);
	check(!fstat(ns, &st) && st.st_ino == shared->ns_now, "namespace of the root");
	return 0;
}

static int files[2];

static int outer_files_task(void *arg)
{
	return outer_files(files[0], files[1]);
}

static int init_x(void *name)
{
	pid_t kids[4], adopted;
	struct numbers n;
	pthread_t thread;
	int status;

	kids[0] = fork_task(plain, "x: child");
	kids[1] = fork_task(own_session, "x: session");
	kids[2] = clone_into(CLONE_NEWPID, init_y, "y: init");
	kids[3] = fork_task(outer_files_task, NULL);
	close(files[0]);
	close(files[1]);
	join_task(fork_task(orphan, "x: adopted"));
	await_task("x: child");
	await_task("x: session");
	await_task("y: init");
	await_task("x: adopted");
	await_task("x: files");
	need(!pthread_create(&thread, NULL, thread_main, NULL), "thread");
	await_task("x: thread");
	n = look();
	checkpoint_task(name, 0);
	if (test_break() == 2)
		setpgid(0, 0);
	same(name, &n);
	pthread_join(thread, NULL);
	for (int i = 0; i < 4; i++)
		join_task(kids[i]);
	await_flag(&shared->guests_ended);
	adopted = wait(&status);
	check(adopted > 0 && !status, "the orphan: %d, status %#x", adopted, status);
	return 0;
}

static int init_unshared(void *name)
{
	plain(name);
	await_flag(&shared->unshared_ended);
	return 0;
}

static int next_in_namespace(void *number)
{
	return getpid() == *(int *)number ? 0 : 1;
}

/* Later children are created in the new namespace, too. */
static int unsharing(void *name)
{
	int third = 3;
	pid_t init, second;

	need(!unshare(CLONE_NEWPID), "unshare");
	init = fork_task(init_unshared, "unshared: init");
	second = fork_task(plain, "unshared: second");
	await_task("unshared: init");
	await_task("unshared: second");
	plain(name);
	if (test_break() == 3)
		setns(open_process(getpid()), CLONE_NEWPID);
	check(ns_of("/proc/self/ns/pid") != ns_of("/proc/self/ns/pid_for_children"), "the namespace for children");
	join_task(second);
	/* The namespace has given away two numbers. */
	second = fork_task(next_in_namespace, &third);
	join_task(second);
	shared->unshared_ended = true;
	join_task(init);
	return 0;
}

static int leave(void *arg)
{
	return 7;
}

static int stay(void *arg)
{
	while (1)
		pause();
	return 0;
}

static void await_end(pid_t pid)
{
	siginfo_t info;

	need(!waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), "waitid");
}

static void check_zombie(pid_t pid, int want)
{
	int status = 0;

	check(waitpid(pid, &status, 0) == pid && status == want, "zombie %d: status %#x was %#x", pid, status, want);
}

/* A group outside of its namespace that it was not born in: its parent puts it there. */
static int await_group(void *go)
{
	char byte;

	if (read(*(int *)go, &byte, 1) != 1)
		return 1;
	close(*(int *)go);
	return plain("put in group");
}

static pid_t put_in_group(pid_t group)
{
	int go[2];
	pid_t pid;

	need(!pipe(go), "pipe");
	pid = clone_into(CLONE_NEWPID, await_group, &go[0]);
	need(!setpgid(pid, group), "setpgid");
	need(write(go[1], "", 1) == 1, "pipe");
	close(go[0]);
	close(go[1]);
	await_task("put in group");
	return pid;
}

static void find_outer_levels(void)
{
	char text[4096], *at;

	/* The first checkpoint may be far from the namespace of /proc, and that of the root is its own. */
	need(read_file("/proc/self/status", text, sizeof(text)) > 0, "status");
	at = strstr(text, "NSpid:");
	need(at, "NSpid");
	for (at += strlen("NSpid:"); *at != '\n'; at++)
		outer_levels += *at == '\t';
	outer_levels--;
}

static pid_t shown_pid(void)
{
	char link[32] = "";

	need(readlink("/proc/self", link, sizeof(link) - 1) > 0, "/proc/self");
	return (pid_t)strtol(link, NULL, 10);
}

int main(int argc, char **argv)
{
	pid_t tasks[6], x, zombies[2];
	struct numbers n;
	struct stat st;
	int own, x_pidfd, nr = 0;

	test_init(argc, argv);
	find_outer_levels();
	shared = map_anon(4096, MAP_SHARED);
	files[0] = open_process(getpid());
	files[1] = open("/proc/self/ns/pid", O_RDONLY);
	need(files[1] >= 0, "namespace");
	x = clone_into(CLONE_NEWPID, init_x, "x: init");
	close(files[0]);
	close(files[1]);
	await_task("x: init");
	x_pidfd = open_process(x);
	tasks[nr++] = entering_child(x, with_child, "entered");
	tasks[nr++] = entering_child(shared->y_init, plain, "entered y");
	await_task("entered");
	await_task("entered y");
	tasks[nr++] = fork_task(unsharing, "unsharing");
	await_task("unsharing");
	tasks[nr++] = fork_task(own_group, "group");
	await_task("group");
	tasks[nr] = put_in_group(tasks[nr - 1]);
	nr++;
	zombies[0] = clone_into(CLONE_NEWPID, leave, NULL);
	zombies[1] = clone_into(CLONE_NEWPID, stay, NULL);
	need(!kill(zombies[1], SIGKILL), "kill");
	await_end(zombies[0]);
	await_end(zombies[1]);
	own = open("/proc/self/ns/pid", O_RDONLY);
	n = look();
	if (checkpoint_here() == 4)
		kill(shared->y_init, SIGKILL);
	/* That may be the program that has restored it. */
	n.parent = getppid();
	same("root", &n);
	need(!fstat(own, &st), "fstat");
	shared->ns_now = st.st_ino;
	check(st.st_ino == ns_of("/proc/self/ns/pid"), "its own namespace");
	shared->root_now = shown_pid();
	check(!syscall(SYS_pidfd_send_signal, x_pidfd, 0, NULL, 0), "pidfd of x: %s", strerror(errno));
	check_zombie(zombies[0], 7 << 8);
	check_zombie(zombies[1], SIGKILL);
	for (int i = 0; i < nr; i++)
		join_task(tasks[i]);
	shared->guests_ended = true;
	join_task(x);
	test_done();
}
