// SPDX-License-Identifier: GPL-2.0-only
/*
 * Processes that share their memory (CLONE_VM), with and without descriptors, directories and signal handlers: changes
 * by one are visible to the others, or not. AddressSanitizer prints a message on descriptor 2 when it encounters the
 * stack of a task that runs in the memory of another one.
 * test: flavours=host,user boots=others breaks=4 decode=yes skip='! grep -q __asan_report $CRIU' user-root=host
 */
#include "share_vm.h"

static const int clone_flags[] = {
	0, CLONE_SIGHAND, CLONE_FILES, CLONE_FS, CLONE_FILES | CLONE_FS, CLONE_SIGHAND | CLONE_FILES | CLONE_FS,
};
#define COUNT ((int)(sizeof(clone_flags) / sizeof(clone_flags[0])))

static int shared_fd, count;
static char *block;

static void handler(int sig)
{
}

static void prepare(int nr)
{
	char name[32], dir[32];
	int fd, flags = clone_flags[nr];

	if (!(flags & CLONE_FILES)) {
		snprintf(name, sizeof(name), "own.%d", nr);
		fd = open(name, O_RDWR | O_CREAT, 0600);
		need(fd >= 0 && write(fd, name, 3) == 3, "%s", name);
		need(dup2(fd, 100) == 100 && !close(fd), "dup2");
	}
	if (!(flags & CLONE_FS)) {
		snprintf(dir, sizeof(dir), "dir.%d", nr);
		need(!mkdir(dir, 0700) && !chdir(dir), "%s", dir);
		umask(nr << 3 | nr);
	}
	if (!(flags & CLONE_SIGHAND))
		signal(SIGUSR2, nr & 1 ? handler : SIG_IGN);
}

static void check_files(int nr, bool shared)
{
	char link[256] = "", want[32];

	check((fcntl(1234, F_GETFD) >= 0) == shared, "peer %d and a new descriptor", nr);
	check((fcntl(shared_fd, F_GETFD) < 0) == shared, "peer %d and a closed descriptor", nr);
	check((fcntl(100, F_GETFD) >= 0) == !shared, "peer %d and a descriptor of its own", nr);
	if (shared)
		return;
	snprintf(want, sizeof(want), "/own.%d", nr);
	check(readlink("/proc/self/fd/100", link, sizeof(link) - 1) > 0 && strstr(link, want), "peer %d: %s", nr, link);
	check(lseek(100, 0, SEEK_CUR) == 3, "peer %d: its file is elsewhere", nr);
}

static void check_fs(int nr, bool shared)
{
	char cwd[4096] = "", want[32];
	mode_t mask = umask(0);

	umask(mask);
	snprintf(want, sizeof(want), "/dir.%d", nr);
	check(getcwd(cwd, sizeof(cwd)) && (shared ? !strcmp(cwd, "/tmp") : strstr(cwd, want) != NULL),
	      "peer %d: cwd %s", nr, cwd);
	check(mask == (shared ? 0111u : (unsigned)(nr << 3 | nr)), "peer %d: umask %o", nr, mask);
}

static int verify(int nr)
{
	int flags = clone_flags[nr];
	struct sigaction now;

	check(getpid() == peers[nr].pid, "peer %d: pid %d", nr, getpid());
	check_files(nr, flags & CLONE_FILES);
	check_fs(nr, flags & CLONE_FS);
	sigaction(SIGUSR1, NULL, &now);
	check((now.sa_handler == SIG_IGN) == !!(flags & CLONE_SIGHAND), "peer %d: handler of SIGUSR1", nr);
	sigaction(SIGUSR2, NULL, &now);
	check(now.sa_handler == (flags & CLONE_SIGHAND ? SIG_DFL :
				 nr & 1		       ? handler :
							 SIG_IGN),
	      "peer %d: handler of SIGUSR2", nr);
	/* The memory: written by the first process since, and counted by all. */
	check(!wrong(block, 1 << 20, 99), "peer %d: memory", nr);
	check(count == nr, "peer %d: counts %d", nr, count);
	count++;
	return 40 + nr;
}

int main(int argc, char **argv)
{
	test_init(argc, argv);
	umask(022);
	shared_fd = dup2(0, 77);
	block = map_anon(1 << 20, MAP_PRIVATE);
	fill(block, 1 << 20, 1);
	signal(SIGUSR1, handler);
	for (int i = 0; i < COUNT; i++)
		share_memory(i, clone_flags[i] | SIGCHLD, prepare, verify);
	switch (checkpoint_here()) {
	case 1:
		unshare(CLONE_FILES);
		break;
	case 2:
		unshare(CLONE_FS);
		break;
	case 3:
		kill(peers[0].pid, SIGKILL);
		break;
	case 4:
		count = 1;
	}
	check(!wrong(block, 1 << 20, 1), "memory");
	fill(block, 1 << 20, 99);
	close(shared_fd);
	check(dup2(0, 1234) == 1234, "dup2");
	check(!chdir("/tmp"), "chdir");
	umask(0111);
	signal(SIGUSR1, SIG_IGN);
	for (int i = 0; i < COUNT; i++)
		take_turn(i, 0);
	check(count == COUNT, "%d have counted", count);
	test_done();
}
