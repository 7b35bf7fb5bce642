// SPDX-License-Identifier: GPL-2.0-only
/*
 * Proc of nested pid namespaces, in mount namespaces of the tree: on /proc, with parts of it bound read-only and others covered,
 * as container engines do; one that something else covers; with options; one of a second level, and that one also seen from
 * a task outside of it; files of their processes, open and as working directory.
 * test: flavours=host,container,nested breaks=4 ignore=.
 */
#include "checkpoint.h"
#include <dirent.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define MAX 200

struct seen {
	char point[256], root[256], options[128], type[32], super[256];
};

struct list {
	struct seen v[MAX];
	int n;
};

/* Mounts below /proc, and those of the test. Options of proc, too. */
static void read_mounts(const char *proc, struct list *list)
{
	char name[256], line[4096];
	FILE *f;

	snprintf(name, sizeof(name), "%s/self/mountinfo", proc);
	f = fopen(name, "r");

	need(f, "mountinfo (errno %d)", errno);
	list->n = 0;
	while (fgets(line, sizeof(line), f)) {
		struct seen s = { 0 };
		char *tail = strstr(line, " - ");

		need(tail && sscanf(line, "%*d %*d %*s %255s %255s %127s", s.root, s.point, s.options) == 3 &&
			     sscanf(tail, " - %31s %*s %255s", s.type, s.super) == 2,
		     "%s", line);
		if (strncmp(s.point, "/proc", 5) && strncmp(s.point, test_dir(), strlen(test_dir())))
			continue;
		need(list->n < MAX, "too many mounts");
		list->v[list->n++] = s;
	}
	fclose(f);
}

static int count(const struct list *list, const struct seen *s)
{
	int n = 0;

	for (int i = 0; i < list->n; i++)
		n += !memcmp(&list->v[i], s, sizeof(*s));
	return n;
}

static void compare(const char *who, const struct list *was, const struct list *now)
{
	check(was->n == now->n, "%s: %d mounts, %d before", who, now->n, was->n);
	for (int i = 0; i < was->n; i++)
		check(count(was, &was->v[i]) == count(now, &was->v[i]), "%s: %s of %s at %s (%s, %s)", who,
		      was->v[i].type, was->v[i].root, was->v[i].point, was->v[i].options, was->v[i].super);
}

/* The numbers that it lists, and who "self" is. */
static void list_proc(const char *path, char *to, size_t size)
{
	char name[256], target[32];
	size_t len = 0;
	DIR *dir = opendir(path);
	struct dirent *e;
	ssize_t got;

	need(dir, "%s (errno %d)", path, errno);
	while ((e = readdir(dir)))
		if (e->d_name[0] >= '0' && e->d_name[0] <= '9')
			len += (size_t)snprintf(to + len, size - len, "%s ", e->d_name);
	closedir(dir);
	snprintf(name, sizeof(name), "%s/self", path);
	got = readlink(name, target, sizeof(target) - 1);
	target[got < 0 ? 0 : got] = 0;
	snprintf(to + len, size - len, "self %s", got < 0 ? "nobody" : target);
}

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

/* A child in a new pid namespace. */
static pid_t fork_init(int (*fn)(void *))
{
	pid_t pid;
	int own = open("/proc/self/ns/pid", O_RDONLY);

	need(own >= 0 && !unshare(CLONE_NEWPID), "pid namespace (errno %d)", errno);
	pid = fork_task(fn, NULL);
	need(!setns(own, CLONE_NEWPID), "return");
	close(own);
	return pid;
}

static void separate(void)
{
	need(!unshare(CLONE_NEWNS), "mount namespace (errno %d)", errno);
	do_mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
}

struct view {
	struct list mounts;
	char proc[512], other[512];
};

/* Its own mounts, as shown by one of both. */
static void look(struct view *view, const char *other)
{
	memset(view, 0, sizeof(*view));
	read_mounts(access("/proc/self/comm", F_OK) ? other : "/proc", &view->mounts);
	list_proc("/proc", view->proc, sizeof(view->proc));
	list_proc(other, view->other, sizeof(view->other));
}

static void same(const char *who, const struct view *was, const char *other)
{
	static struct view now;

	look(&now, other);
	check(!strcmp(was->proc, now.proc), "%s: /proc lists %s, before %s", who, now.proc, was->proc);
	check(!strcmp(was->other, now.other), "%s: %s lists %s, before %s", who, other, now.other, was->other);
	compare(who, &was->mounts, &now.mounts);
}

/* ---- tasks ---- */

static int sleeper(void *arg)
{
	checkpoint_task("sleeper", 0);
	return 0;
}

/* The first process of the second level. Its proc is on /proc, which covers that of the first level. */
static int second(void *arg)
{
	static struct view view;
	char line[64], was[64];
	int status;

	separate();
	do_mount("proc", "/proc", "proc", MS_NOSUID | MS_NOEXEC, NULL);
	do_mount("proc", dir("other"), "proc", 0, "hidepid=invisible");
	status = open("/proc/1/comm", O_RDONLY);
	need(status >= 0 && !chdir("/proc/1/task"), "proc (errno %d)", errno);
	need(read_file("/proc/1/comm", was, sizeof(was)) > 0, "comm");
	look(&view, test_path("other"));
	checkpoint_task("second", 0);
	if (test_break() == 1)
		do_mount("proc", "/proc", "proc", 0, NULL);
	check(getpid() == 1, "second: pid %d", getpid());
	same("second", &view, test_path("other"));
	line[0] = 0;
	check(read(status, line, sizeof(line)) > 0 && !strncmp(line, was, strlen(was)), "second: its open file: %s",
	      line);
	check(!access("1/status", F_OK) && access("2/status", F_OK), "second: working directory");
	return 0;
}

/* In the pid namespace of the tree, it shares the mounts of the first level. */
static int outside(void *arg)
{
	static struct view view;

	look(&view, test_path("outer"));
	checkpoint_task("outside", 0);
	same("outside", &view, test_path("outer"));
	task_ready("outside checked");
	return 0;
}

/* The first process of the first level. */
static int first(void *arg)
{
	static struct view view;
	struct statfs fs;
	pid_t child, other;
	char path[64];
	int status;

	do_mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
	do_mount("/proc/sys", "/proc/sys", NULL, MS_BIND, NULL);
	do_mount(NULL, "/proc/sys", NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL);
	do_mount("none", "/proc/fs", "tmpfs", 0, "size=64k");
	write_file("/proc/fs/file", "covers");
	do_mount("/dev/null", "/proc/kallsyms", NULL, MS_BIND, NULL);
	do_mount("proc", dir("hidden"), "proc", 0, NULL);
	do_mount("none", test_path("hidden"), "tmpfs", 0, "size=64k");
	child = fork_task(sleeper, NULL);
	other = fork_init(second);
	snprintf(path, sizeof(path), "/proc/%d/comm", child);
	status = open(path, O_RDONLY);
	need(status >= 0, "%s (errno %d)", path, errno);
	await_task("second");
	look(&view, test_path("hidden"));
	checkpoint_task("first", 0);
	if (test_break() == 2)
		umount("/proc/fs");
	if (test_break() == 3)
		umount2("/proc/sys", MNT_DETACH);
	same("first", &view, test_path("hidden"));
	check(!statfs("/proc/fs", &fs) && fs.f_type == 0x01021994, "what covers /proc/fs");
	check(!access("/proc/fs/file", F_OK), "its content");
	await_task("outside checked");
	await_task("maker checked");
	need(!umount(test_path("hidden")), "umount");
	list_proc(test_path("hidden"), path, sizeof(path));
	check(!strncmp(path, "1 ", 2) && strstr(path, "self 1"), "first: what was hidden lists %s", path);
	path[0] = 0;
	check(read(status, path, sizeof(path)) > 1, "first: an open file of its child");
	join_task(child);
	join_task(other);
	return 0;
}

/* Unshares the mounts that "first" lives in, and shows the tree's own proc there. */
static int maker(void *arg)
{
	static struct view view;
	pid_t pid, out;

	separate();
	do_mount("/proc", dir("outer"), NULL, MS_BIND, NULL);
	pid = fork_init(first);
	await_task("second");
	await_task("sleeper");
	out = fork_task(outside, NULL);
	await_task("first");
	await_task("outside");
	look(&view, test_path("outer"));
	checkpoint_task("maker", 0);
	if (test_break() == 4)
		umount(test_path("outer"));
	same("maker", &view, test_path("outer"));
	task_ready("maker checked");
	join_task(pid);
	join_task(out);
	return 0;
}

int main(int argc, char **argv)
{
	pid_t pid;

	test_init(argc, argv);
	pid = fork_task(maker, NULL);
	await_task("maker");
	await_task("outside");
	checkpoint_here();
	join_task(pid);
	test_done();
}
