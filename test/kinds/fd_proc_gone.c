// SPDX-License-Identifier: GPL-2.0-only
/*
 * Files and directories in /proc of processes that have exited: links, flags, positions, content; a pid that another
 * process has by now; a thread of one; as working directory. And of pid 1. With AddressSanitizer the stand-in's files
 * contain longer addresses, and positions follow.
 * test: breaks=3 skip="$CRIU check --feature clone3_set_tid && ! grep -q __asan_report $CRIU"
 */
#include "checkpoint.h"
#include <linux/sched.h>
#include <pthread.h>
#include <sched.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define STATUS_READ 310
#define MOUNTS 311
#define OF_THREAD 312
#define REUSED 313
#define SECOND 314

static const struct {
	int fd, flags;
	const char *name;
} files[] = {
	{ 300, O_RDONLY, "/stat" },
	{ 301, O_RDONLY | O_NONBLOCK, "/stat" },
	{ 302, O_RDONLY | O_DIRECTORY, "" },
	{ 303, O_RDONLY | O_DIRECTORY, "/fd" },
	{ 304, O_PATH | O_NOFOLLOW, "/exe" },
	{ 305, O_WRONLY, "/oom_score_adj" },
	{ 306, O_RDWR, "/mem" },
	{ 307, O_PATH, "/maps" },
	{ 308, O_RDONLY, "/task/%d/environ" },
	{ 309, O_RDONLY | O_DIRECTORY, "/task" },
	{ STATUS_READ, O_RDONLY, "/status" },
	{ MOUNTS, O_RDONLY, "/mountinfo" },
};
#define NR (sizeof(files) / sizeof(files[0]))

static char links[NR][128];
static volatile pid_t *thread; /* shared: set by the first child */

static void *rest(void *arg)
{
	*thread = (pid_t)syscall(SYS_gettid);
	while (1)
		pause();
	return NULL;
}

static pid_t make(bool with_thread)
{
	pid_t pid = fork();
	pthread_t id;

	if (!pid) {
		if (with_thread && pthread_create(&id, NULL, rest, NULL))
			_exit(1);
		while (1)
			pause();
	}
	while (with_thread && !*thread)
		sleep_ms(1);
	return pid;
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	need(waitpid(pid, NULL, 0) == pid, "waitpid");
}

static void open_at_number(int number, int flags, pid_t pid, const char *name)
{
	char path[128], end_of[64];
	int fd;

	snprintf(end_of, sizeof(end_of), name, pid);
	snprintf(path, sizeof(path), "/proc/%d%s", pid, end_of);
	fd = open(path, flags);
	need(fd >= 0 && dup2(fd, number) == number && !close(fd), "%s", path);
}

static void link_of(int fd, char *text, size_t size)
{
	char path[64];
	ssize_t len;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	len = readlink(path, text, size - 1);
	need(len > 0, "%s", path);
	text[len] = 0;
}

/* Its working directory belongs to a process that has exited. */
static int lives_in_gone_directory(void *arg)
{
	char path[64], want[96], now[96];
	pid_t of = make(false);

	snprintf(path, sizeof(path), "/proc/%d/task", of);
	need(!chdir(path), "chdir %s", path);
	end(of);
	ssize_t len = readlink("/proc/self/cwd", want, sizeof(want) - 1);
	need(len > 0, "cwd");
	want[len] = 0;
	checkpoint_task("in_gone_cwd", 0);
	len = readlink("/proc/self/cwd", now, sizeof(now) - 1);
	need(len > 0, "cwd");
	now[len] = 0;
	check(!strcmp(now, want), "working directory %s, was %s", now, want);
	check(open("stat", O_RDONLY) < 0, "the directory contains files");
	return 0;
}

static int has_number(void *arg)
{
	checkpoint_task("again", 0);
	await_task("end");
	return 0;
}

static pid_t fork_as(pid_t pid)
{
	struct clone_args args = { .exit_signal = SIGCHLD, .set_tid = (uintptr_t)&pid, .set_tid_size = 1 };
	pid_t got = (pid_t)syscall(SYS_clone3, &args, sizeof(args));

	if (!got)
		_exit(has_number(NULL));
	return got;
}

static void read_to_end(int fd)
{
	char buf[4096];

	while (read(fd, buf, sizeof(buf)) > 0)
		;
}

static void verify_one(size_t i)
{
	int fd = files[i].fd, flags = fcntl(fd, F_GETFL) & (O_ACCMODE | O_NONBLOCK | O_DIRECTORY | O_PATH);
	char now[128], buf[4096];

	link_of(fd, now, sizeof(now));
	check(!strcmp(now, links[i]), "%d: %s, was %s", fd, now, links[i]);
	check(flags == (files[i].flags & (O_ACCMODE | O_NONBLOCK | O_DIRECTORY | O_PATH)), "%d: flags %#o", fd, flags);
	if (!strcmp(files[i].name, "/stat"))
		check(read(fd, buf, sizeof(buf)) < 0 && errno == ESRCH, "%d: %s", fd, strerror(errno));
	if (!strcmp(files[i].name, "/mem"))
		check(!pread(fd, buf, sizeof(buf), (off_t)(uintptr_t)links), "memory of another process");
	if (files[i].flags & O_WRONLY)
		check(write(fd, "1", 1) < 0 && errno == ESRCH, "written to another process: %s", strerror(errno));
	if (files[i].flags & O_DIRECTORY)
		check(syscall(SYS_getdents64, fd, buf, sizeof(buf)) < 0 && openat(fd, "stat", O_RDONLY) < 0, "%d", fd);
}

int main(int argc, char **argv)
{
	off_t status_end, mounts_end;
	char path[64], buf[4096];
	pid_t first, second, in_gone_cwd, again;

	test_init(argc, argv);
	thread = map_anon(4096, MAP_SHARED);
	first = make(true);
	second = make(false);
	for (size_t i = 0; i < NR; i++)
		open_at_number(files[i].fd, files[i].flags, first, files[i].name);
	snprintf(path, sizeof(path), "/task/%d/comm", *thread);
	open_at_number(OF_THREAD, O_RDONLY, first, path);
	open_at_number(REUSED, O_RDONLY, second, "/stat");
	open_at_number(SECOND, O_RDONLY | O_DIRECTORY, second, "");
	read_to_end(STATUS_READ);
	read_to_end(MOUNTS);
	status_end = lseek(STATUS_READ, 0, SEEK_CUR);
	mounts_end = lseek(MOUNTS, 0, SEEK_CUR);
	end(first);
	end(second);
	for (size_t i = 0; i < NR; i++)
		link_of(files[i].fd, links[i], sizeof(links[i]));
	again = fork_as(second);
	if (again < 0)
		test_skip("the pid of a process that has ended is in use by another one");
	await_task("again");
	open_at_number(320, O_RDONLY, 1, "/comm");
	in_gone_cwd = fork_task(lives_in_gone_directory, NULL);
	await_task("in_gone_cwd");
	switch (checkpoint_here()) {
	case 1:
		lseek(STATUS_READ, 0, SEEK_SET);
		break;
	case 2:
		open_at_number(REUSED, O_RDONLY, second, "/stat");
		break;
	case 3:
		open_at_number(300, O_RDONLY, getpid(), "/stat");
	}
	check(lseek(STATUS_READ, 0, SEEK_CUR) == status_end, "position %ld, was %ld",
	      (long)lseek(STATUS_READ, 0, SEEK_CUR), (long)status_end);
	check(!read(STATUS_READ, buf, sizeof(buf)), "read twice");
	check(!lseek(STATUS_READ, 0, SEEK_SET) && read(STATUS_READ, buf, 1) < 0 && errno == ESRCH, "status");
	check(lseek(MOUNTS, 0, SEEK_CUR) == mounts_end && pread(MOUNTS, buf, 100, 0) > 0, "mountinfo");
	for (size_t i = 0; i < NR; i++)
		verify_one(i);
	snprintf(path, sizeof(path), "/proc/%d/task/%d/comm", first, *thread);
	link_of(OF_THREAD, buf, sizeof(buf));
	check(!strcmp(buf, path) && read(OF_THREAD, buf, 1) < 0 && errno == ESRCH, "of a thread");
	snprintf(path, sizeof(path), "/proc/%d/stat", second);
	link_of(REUSED, buf, sizeof(buf));
	check(!strcmp(buf, path) && read(REUSED, buf, 1) < 0 && errno == ESRCH, "of one whose pid another process has");
	check(openat(SECOND, "stat", O_RDONLY) < 0, "directory of one whose pid another process has");
	check(read(320, buf, sizeof(buf)) > 0, "of pid 1");
	task_ready("end");
	join_task(again);
	join_task(in_gone_cwd);
	test_done();
}
