// SPDX-License-Identifier: GPL-2.0-only
/*
 * Files of /proc that no path will lead to: of a process that is gone, of a process outside, of a thread; each by name.
 * test: refused='(?s)(?=.*\b300\b.*is.gone)(?=.*\b301\b.+outside)(?=.*\b302\b.+thread)'
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

static void at(int number, const char *path)
{
	int fd = open(path, O_RDONLY);

	need(fd >= 0 && dup2(fd, number) == number && !close(fd), "%s", path);
}

int main(int argc, char **argv)
{
	char path[64], buf[64];
	pthread_t id;
	pid_t pid;

	test_init(argc, argv);
	pid = fork();
	if (!pid) {
		pause();
		_exit(0);
	}
	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	at(300, path);
	kill(pid, SIGKILL);
	need(waitpid(pid, NULL, 0) == pid, "waitpid");
	at(301, "/proc/1/status");
	need(!pthread_create(&id, NULL, rest, NULL), "thread");
	while (!__atomic_load_n(&thread, __ATOMIC_SEQ_CST))
		sleep_ms(1);
	snprintf(path, sizeof(path), "/proc/self/task/%d/comm", thread);
	at(302, path);
	if (checkpoint_here())
		close(302);
	check(read(300, buf, sizeof(buf)) < 0 && errno == ESRCH, "of the dead");
	check(read(301, buf, sizeof(buf)) > 0, "of the outside");
	check(read(302, buf, sizeof(buf)) > 0, "of the thread");
	test_done();
}
