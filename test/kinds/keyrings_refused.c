// SPDX-License-Identifier: GPL-2.0-only
/*
 * Keys that only a thread or its process possesses: reported with the thread; a thread without any is not.
 * test: refused='thread [0-9]+: has a process keyring \([0-9]+\)(.|\n)*thread [0-9]+: has a thread keyring \([0-9]+\)' breaks=2
 */
#include "checkpoint.h"
#include <sys/syscall.h>

#define GET_KEYRING_ID 0
#define READ 11
#define THREAD_KEYRING (-1)
#define PROCESS_KEYRING (-2)
#define UNLINK 9
#define CLEAR 7

static int bare(void *arg)
{
	checkpoint_task("bare", 0);
	check(syscall(SYS_keyctl, GET_KEYRING_ID, THREAD_KEYRING, 0) < 0 &&
		      syscall(SYS_keyctl, GET_KEYRING_ID, PROCESS_KEYRING, 0) < 0,
	      "it was given a keyring");
	return 0;
}

static void check_key(long key, const char *text)
{
	char got[16] = "";

	check(syscall(SYS_keyctl, READ, key, got, sizeof(got)) == (long)strlen(text) && !strcmp(got, text), "%s: %s",
	      text, got);
}

int main(int argc, char **argv)
{
	long of_thread, of_process;
	pid_t pid;
	int brk;

	test_init(argc, argv);
	if (syscall(SYS_keyctl, GET_KEYRING_ID, THREAD_KEYRING, 0) < 0 && errno != ENOKEY)
		test_skip("this kernel has no keys");
	of_process = syscall(SYS_add_key, "user", "criu-test-p", "process", 7, PROCESS_KEYRING);
	of_thread = syscall(SYS_add_key, "user", "criu-test-t", "thread", 6, THREAD_KEYRING);
	need(of_thread > 0 && of_process > 0, "add_key: %m");
	pid = fork_task(bare, NULL);
	await_task("bare");
	brk = checkpoint_here();
	if (brk == 1)
		syscall(SYS_keyctl, CLEAR, THREAD_KEYRING);
	if (brk == 2)
		syscall(SYS_keyctl, UNLINK, of_process, PROCESS_KEYRING);
	check_key(of_thread, "thread");
	check_key(of_process, "process");
	join_task(pid);
	test_done();
}
