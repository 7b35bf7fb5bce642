// SPDX-License-Identifier: GPL-2.0-only
/*
 * Processes that share their memory, in a tree: a sibling (CLONE_PARENT), one forked by another, with ordinary
 * children, zombies, threads, sessions and groups; stopped; with exit signals other than SIGCHLD. AddressSanitizer
 * prints a message on descriptor 2 when it encounters the stack of a task that runs in the memory of another one.
 * test: boots=others breaks=3 decode=yes skip='! grep -q __asan_report $CRIU'
 */
#include "share_vm.h"

enum { HAS_CHILDREN, GRANDCHILD, SIBLING, NO_SIGNAL, OTHER_SIGNAL, SESSION, GROUP, MEMBER, STOPPED, THREADS, COUNT };

static pid_t tree_root, plain_child, zombie, plain_other_signal, session_child;
static volatile sig_atomic_t usr1, usr2;
static volatile pid_t tids[2];
static volatile int thread_ready[2], thread_go, thread_replies;

static void count_usr1(int sig)
{
	usr1++;
}

static void count_usr2(int sig)
{
	usr2++;
}

/* A raw system call: libc's fork modifies memory that does not belong to this process alone. */
static pid_t plain_fork(int sig, int (*fn)(pid_t parent))
{
	pid_t parent = getpid(), pid = (pid_t)syscall(SYS_clone, (unsigned long)sig, NULL, NULL, NULL, 0);

	need(pid >= 0, "clone");
	if (!pid)
		_exit(fn(parent));
	return pid;
}

static int exit_at_once(pid_t parent)
{
	kill(getpid(), SIGKILL);
	return 1;
}

static int wait_for_go(pid_t parent)
{
	wait_go(0);
	check(getppid() == parent, "an ordinary child of %d has the parent %d", parent, getppid());
	return getppid() != parent;
}

static int thread_main(void *arg)
{
	int nr = (int)(intptr_t)arg;

	tids[nr] = (pid_t)syscall(SYS_gettid);
	thread_ready[nr] = 1;
	while (!thread_go)
		sleep_ms(1);
	if (tids[nr] == (pid_t)syscall(SYS_gettid) && getpid() == peers[THREADS].pid)
		__atomic_add_fetch(&thread_replies, 1, __ATOMIC_SEQ_CST);
	return 0;
}

static void prepare_threads(void)
{
	for (int i = 0; i < 2; i++) {
		char *stack = map_anon(64 << 10, MAP_PRIVATE);

		need(clone(thread_main, stack + (64 << 10),
			   CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM,
			   (void *)(intptr_t)i) > 0,
		     "thread");
		while (!thread_ready[i])
			sleep_ms(1);
	}
}

static int verify(int nr);

static void prepare(int nr)
{
	switch (nr) {
	case HAS_CHILDREN:
		plain_child = plain_fork(SIGCHLD, wait_for_go);
		zombie = plain_fork(SIGCHLD, exit_at_once);
		await_state(zombie, 'Z');
		share_memory(GRANDCHILD, CLONE_FILES | CLONE_FS | SIGCHLD, prepare, verify);
		break;
	case SESSION:
		need(setsid() == getpid(), "setsid");
		session_child = plain_fork(SIGCHLD, wait_for_go);
		break;
	case GROUP:
		need(!setpgid(0, 0), "setpgid");
		break;
	case MEMBER:
		need(!setpgid(0, peers[GROUP].pid), "setpgid");
		break;
	case THREADS:
		prepare_threads();
	}
}

static void join_plain(pid_t pid, const char *what, int options)
{
	int status = -1;

	check(waitpid(pid, &status, options) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0, "%s: status %#x",
	      what, status);
}

static void verify_children(void)
{
	int status = -1;

	check(waitpid(zombie, &status, 0) == zombie && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL,
	      "zombie: status %#x", status);
	join_plain(plain_child, "ordinary child", 0);
	check(fcntl(55, F_GETFD) < 0, "descriptor 55");
	take_turn(GRANDCHILD, 0);
	check(fcntl(55, F_GETFD) >= 0, "descriptors are no longer shared with the grandchild");
}

static void verify_threads(void)
{
	thread_go = 1;
	for (int i = 0; i < 10000 && thread_replies < 2; i++)
		sleep_ms(1);
	check(thread_replies == 2, "%d of the threads are alive", thread_replies);
}

static int verify(int nr)
{
	pid_t parent = nr == GRANDCHILD ? peers[HAS_CHILDREN].pid : nr == SIBLING ? getppid() : tree_root;
	pid_t sid = nr == SESSION ? peers[nr].pid : getsid(tree_root);
	pid_t pgid = nr == SESSION || nr == GROUP ? peers[nr].pid :
		     nr == MEMBER		  ? peers[GROUP].pid :
						    getpgid(tree_root);

	check(getpid() == peers[nr].pid, "peer %d: pid %d", nr, getpid());
	check(getppid() == parent && (nr != SIBLING || parent != tree_root), "peer %d: parent %d", nr, getppid());
	check(getsid(0) == sid, "peer %d: session %d, not %d", nr, getsid(0), sid);
	check(getpgrp() == pgid, "peer %d: group %d, not %d", nr, getpgrp(), pgid);
	if (nr == HAS_CHILDREN)
		verify_children();
	if (nr == GRANDCHILD)
		check(dup2(0, 55) == 55, "dup2");
	if (nr == SESSION)
		join_plain(session_child, "child in the session", 0);
	if (nr == THREADS)
		verify_threads();
	return 40 + nr;
}

static void fork_peers(void)
{
	tree_root = getpid();
	signal(SIGUSR1, count_usr1);
	signal(SIGUSR2, count_usr2);
	plain_other_signal = plain_fork(SIGUSR2, wait_for_go);
	share_memory(HAS_CHILDREN, SIGCHLD, prepare, verify);
	share_memory(SIBLING, CLONE_PARENT | SIGCHLD, prepare, verify);
	share_memory(NO_SIGNAL, 0, prepare, verify);
	share_memory(OTHER_SIGNAL, SIGUSR1, prepare, verify);
	for (int nr = SESSION; nr < COUNT; nr++)
		share_memory(nr, SIGCHLD, prepare, verify);
	kill(peers[STOPPED].pid, SIGSTOP);
	check(waitpid(peers[STOPPED].pid, NULL, WUNTRACED) == peers[STOPPED].pid, "stopped");
}

static int root_main(void *arg)
{
	fork_peers();
	checkpoint_task("tree_root", 0);
	if (test_break() == 1)
		kill(peers[GRANDCHILD].pid, SIGKILL);
	if (test_break() == 2)
		usr1 = 1;
	check(state_of(peers[STOPPED].pid) == 'T', "no longer stopped");
	check(!waitpid(peers[STOPPED].pid, NULL, WUNTRACED | WNOHANG), "its stop is reported twice");
	kill(peers[STOPPED].pid, SIGCONT);
	peers[SIBLING].turn = 1;
	/* A zombie, or reaped already. */
	while (state_of(peers[SIBLING].pid) && state_of(peers[SIBLING].pid) != 'Z')
		sleep_ms(1);
	for (int nr = 0; nr < COUNT; nr++)
		if (nr != SIBLING && nr != GRANDCHILD)
			take_turn(nr, __WALL);
	check(usr1 == 1, "%d times SIGUSR1", usr1);
	join_plain(plain_other_signal, "ordinary child with SIGUSR2", __WALL);
	check(usr2 == 1, "%d times SIGUSR2", usr2);
	return 0;
}

int main(int argc, char **argv)
{
	int status, seen = 0;
	pid_t pid;

	test_init(argc, argv);
	tree_root = fork_task(root_main, NULL);
	await_task("tree_root");
	if (checkpoint_here() == 3)
		kill(tree_root, SIGKILL);
	while ((pid = wait(&status)) > 0) {
		check(WIFEXITED(status) && WEXITSTATUS(status) == (pid == tree_root ? 0 : 40 + SIBLING),
		      "child %d: status %#x", pid, status);
		seen++;
	}
	check(seen == 2, "%d children", seen);
	test_done();
}
