// SPDX-License-Identifier: GPL-2.0-only
/*
 * seccomp: strict mode, one filter, two stacked ones, filters of a single thread, of an unprivileged user, inherited by
 * children.
 * test: breaks=1 decode=yes
 */
#include "checkpoint.h"
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static int install(long nr, int error, unsigned int flags)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned int)nr, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned int)error),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { .len = 4, .filter = code };

	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &prog);
}

static bool refused(long nr, int error)
{
	errno = 0;
	return syscall(nr, 0, 0, 0) < 0 && errno == error;
}

static int mode(void)
{
	char buf[4096], *at;

	read_file("/proc/thread-self/status", buf, sizeof(buf));
	at = strstr(buf, "\nSeccomp:");
	return at ? atoi(at + 9) : -1;
}

static int strict_in[2], strict_out[2];

/* Only read, write, exit and sigreturn from here on. */
static int strict(void *arg)
{
	char c = 0;

	task_ready("strict");
	syscall(SYS_prctl, PR_SET_SECCOMP, SECCOMP_MODE_STRICT);
	while (read(strict_in[0], &c, 1) == 1 && c != 'q') {
		c++;
		if (write(strict_out[1], &c, 1) != 1)
			break;
	}
	if (c == 'q')
		syscall(SYS_exit, 0);
	syscall(SYS_exit, 5);
	return 1;
}

static int one_filter(void *arg)
{
	need(!install(SYS_getpriority, 77, 0), "filter");
	checkpoint_task("one", 0);
	check(refused(SYS_getpriority, test_break() ? 78 : 77) && mode() == 2, "the filter is gone");
	return 0;
}

static int two_filters(void *arg)
{
	pid_t kid;

	need(!install(SYS_getpriority, 1, SECCOMP_FILTER_FLAG_LOG) && !install(SYS_sched_get_priority_max, 2, 0) &&
		     !install(SYS_getpriority, 3, 0),
	     "filters");
	kid = fork();
	if (!kid) {
		install(SYS_sysinfo, 4, 0);
		checkpoint_task("two, child", 0);
		check(refused(SYS_getpriority, 3) && refused(SYS_sysinfo, 4), "child of two");
		_exit(0);
	}
	await_task("two, child");
	checkpoint_task("two", 0);
	check(refused(SYS_getpriority, 3) && refused(SYS_sched_get_priority_max, 2) && !refused(SYS_sysinfo, 4),
	      "two filters");
	join_task(kid);
	return 0;
}

static void *filtered_thread(void *arg)
{
	need(!install(SYS_getpriority, 5, 0), "filter");
	checkpoint_task("thread", 0);
	check(refused(SYS_getpriority, 5) && mode() == 2, "the thread's filter is gone");
	return NULL;
}

static int in_thread(void *arg)
{
	pthread_t t;

	pthread_create(&t, NULL, filtered_thread, NULL);
	await_task("thread");
	checkpoint_task("thread's leader", 0);
	pthread_join(t, NULL);
	check(!refused(SYS_getpriority, 5) && mode() == 0, "the leader has a filter");
	return 0;
}

static int user(void *arg)
{
	need(!setresgid(1001, 1001, 1001) && !setresuid(1001, 1001, 1001), "ids");
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	prctl(PR_SET_DUMPABLE, 1);
	need(!install(SYS_getpriority, 6, 0), "filter");
	/* system calls that a parasite might want to make */
	need(!install(SYS_getrlimit, 6, 0) && !install(SYS_mmap, 7, 0) && !install(SYS_rt_sigprocmask, 8, 0),
	     "filters");
	checkpoint_task("user", 0);
	check(refused(SYS_getpriority, 6) && refused(SYS_mmap, 7) && refused(SYS_rt_sigprocmask, 8),
	      "the user's filters are gone");
	return 0;
}

int main(int argc, char **argv)
{
	int (*fn[])(void *) = { one_filter, two_filters, in_thread, user };
	const char *names[] = { "one", "two", "thread's leader", "user" };
	pid_t pids[4], strict_pid;
	char c;

	test_init(argc, argv);
	need(!pipe(strict_in) && !pipe(strict_out), "pipes");
	strict_pid = fork_task(strict, NULL);
	for (int i = 0; i < 4; i++)
		pids[i] = fork_task(fn[i], NULL);
	for (int i = 0; i < 4; i++)
		await_task(names[i]);
	await_task("strict");
	while (status_field(strict_pid, "Seccomp", 10) != 1)
		sleep_ms(1);
	checkpoint_here();
	check(status_field(strict_pid, "Seccomp", 10) == 1, "no strict mode");
	check(write(strict_in[1], "a", 1) == 1 && read(strict_out[0], &c, 1) == 1 && c == 'b',
	      "the task in strict mode does not reply");
	check(write(strict_in[1], "q", 1) == 1, "quit");
	join_task(strict_pid);
	for (int i = 0; i < 4; i++)
		join_task(pids[i]);
	test_done();
}
