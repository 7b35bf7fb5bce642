// SPDX-License-Identifier: GPL-2.0-only
/*
 * Files in /proc that cannot be restored: of a process that has exited, partly read, its descriptors, its auxiliary
 * vector; of a process outside the tree, of a thread; each is refused by name.
 * test: refused='(?s)(?=.*\b300\b.*exited.*in.part)(?=.*\b301\b.+outside)(?=.*\b302\b.+thread)(?=.*\b303\b.*auxv)(?=.*\b304\b.*fdinfo)'
 */
#include "checkpoint.h"
#include <pthread.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static pid_t thread;

static void *rest(void *arg)
{
	__atomic_store_n(&thread, (pid_t)syscall(SYS_gettid), __ATOMIC_SEQ_CST);
	while (1)
		pause();
	return NULL;
}

static void open_at_number(int number, pid_t pid, const char *name)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	fd = open(path, O_RDONLY);
	need(fd >= 0 && dup2(fd, number) == number && !close(fd), "%s", path);
}

/* A process outside the tree: its parent is gone, and it is reparented. */
static pid_t outsider(void)
{
	volatile pid_t *pid = map_anon(4096, MAP_SHARED);
	pid_t parent = fork();

	if (!parent) {
		pid_t got = fork();

		while (!got)
			pause();
		*pid = got;
		_exit(0);
	}
	need(waitpid(parent, NULL, 0) == parent && *pid > 0, "outsider");
	return *pid;
}

int main(int argc, char **argv)
{
	char path[64], buf[4096];
	pthread_t id;
	pid_t pid, other;

	test_init(argc, argv);
	pid = fork();
	if (!pid) {
		pause();
		_exit(0);
	}
	open_at_number(300, pid, "status");
	open_at_number(303, pid, "auxv");
	open_at_number(304, pid, "fdinfo/0");
	need(read(300, buf, 6) == 6, "read");
	kill(pid, SIGKILL);
	need(waitpid(pid, NULL, 0) == pid, "waitpid");
	other = outsider();
	open_at_number(301, other, "status");
	need(!pthread_create(&id, NULL, rest, NULL), "thread");
	while (!__atomic_load_n(&thread, __ATOMIC_SEQ_CST))
		sleep_ms(1);
	snprintf(path, sizeof(path), "task/%d/comm", thread);
	open_at_number(302, getpid(), path);
	if (checkpoint_here())
		close(302);
	check(read(300, buf, sizeof(buf)) > 0, "buffered data of the process that has exited");
	check(read(301, buf, sizeof(buf)) > 0, "of the process outside the tree");
	check(read(302, buf, sizeof(buf)) > 0, "of the thread");
	check(read(303, buf, sizeof(buf)) > 0, "vector of the process that has exited");
	kill(other, SIGKILL);
	test_done();
}
