// SPDX-License-Identifier: GPL-2.0-only
/*
 * Executable memory files: a descriptor from memfd_create(2) does not count as a writer, one from open(2) does; modes
 * and seals that forbid execution; programs that run from such files, with or without a descriptor; scripts.
 * test: breaks=2
 */
#include "checkpoint.h"
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008u
#define MFD_EXEC 0x0010u
#endif
#ifndef F_SEAL_EXEC
#define F_SEAL_EXEC 0x0020
#endif

extern char **environ;

static void fill_program(int to)
{
	int from = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	struct stat st;

	need(from >= 0 && to >= 0 && !fstat(from, &st) && sendfile(to, from, NULL, (size_t)st.st_size) == st.st_size,
	     "copy the program: %m");
	close(from);
}

static int open_again(int fd, int flags)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	fd = open(path, flags | O_CLOEXEC);
	need(fd >= 0, "open %s again: %m", path);
	return fd;
}

/* The exit status of the program in @fd, which is 42; or -errno of execveat(2). */
static int run(int fd)
{
	char *args[] = { "ends", (char *)test_dir(), "ends", NULL };
	int err[2], status, failed = 0;
	pid_t pid;

	need(!pipe2(err, O_CLOEXEC), "pipe");
	pid = fork();
	if (!pid) {
		syscall(SYS_execveat, fd, "", args, environ, AT_EMPTY_PATH);
		failed = errno;
		_exit(write(err[1], &failed, sizeof(failed)) < 0);
	}
	close(err[1]);
	if (read(err[0], &failed, sizeof(failed)) != sizeof(failed))
		failed = 0;
	close(err[0]);
	waitpid(pid, &status, 0);
	return failed ? -failed : WEXITSTATUS(status);
}

/* A program that runs from memory: after the checkpoint it still has its name, and can be started again. */
static int body(const char *name, int fd)
{
	char before[512] = "", after[512] = "";
	struct stat was, now;

	need(readlink("/proc/self/exe", before, sizeof(before) - 1) > 0 && !stat("/proc/self/exe", &was), "exe");
	checkpoint_task(name, 0);
	check(readlink("/proc/self/exe", after, sizeof(after) - 1) > 0 && !strcmp(before, after), "exe %s was %s",
	      after, before);
	check(!stat("/proc/self/exe", &now) && was.st_size == now.st_size && was.st_mode == now.st_mode,
	      "exe of %ld bytes, mode %o", (long)now.st_size, now.st_mode);
	fd = fd < 0 ? open("/proc/self/exe", O_RDONLY | O_CLOEXEC) : fd;
	check(run(fd) == 42, "it cannot be started again");
	check(open("/proc/self/exe", O_WRONLY) < 0 && errno == ETXTBSY, "it can be written while it runs");
	return access(test_path("failed"), F_OK) ? 0 : 1;
}

static pid_t start(int fd, const char *name, bool keep)
{
	char number[16];
	pid_t pid = fork();

	snprintf(number, sizeof(number), "%d", keep ? fd : -1);
	if (!pid) {
		char *args[] = { "program", (char *)test_dir(), "runs", (char *)name, number, NULL };

		fcntl(fd, F_SETFD, keep ? 0 : FD_CLOEXEC);
		syscall(SYS_execveat, fd, "", args, environ, AT_EMPTY_PATH);
		_exit(99);
	}
	await_task(name);
	return pid;
}

/* Its interpreter has the script as /dev/fd/N. */
static pid_t start_script(int fd)
{
	char text[512];
	pid_t pid;

	need(!mkfifo("fifo", 0600), "mkfifo");
	snprintf(text, sizeof(text), "#!/bin/sh\nexec 8<>'%s/fifo'\n: > '%s/at.script'\nread go <&8\nexit 7\n",
		 test_dir(), test_dir());
	need(write(fd, text, strlen(text)) > 0, "script");
	pid = fork();
	if (!pid) {
		char *args[] = { "script", NULL };

		fcntl(fd, F_SETFD, 0);
		syscall(SYS_execveat, fd, "", args, environ, AT_EMPTY_PATH);
		_exit(99);
	}
	await_task("script");
	return pid;
}

int main(int argc, char **argv)
{
	int plain, twice, also, moved, sealed, noexec, shown, brk, status;
	pid_t open_one, closed_one, removed, script;
	char *map;

	test_init(argc, argv);
	if (argc > 2)
		return !strcmp(argv[2], "ends") ? 42 : body(argv[3], atoi(argv[4]));
	fill_program(plain = memfd_create("plain", MFD_CLOEXEC));
	map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, plain, 0);
	need(map != MAP_FAILED && run(plain) == 42, "run it");
	/* A second open file that can write; and one that is the only one left. */
	fill_program(twice = memfd_create("twice", MFD_CLOEXEC));
	also = open_again(twice, O_RDWR);
	fill_program(moved = memfd_create("moved", MFD_CLOEXEC));
	shown = open_again(moved, O_RDWR);
	close(moved);
	need(run(twice) == -ETXTBSY && run(shown) == -ETXTBSY, "it has a writer");
	fill_program(sealed = memfd_create("sealed", MFD_CLOEXEC | MFD_ALLOW_SEALING));
	need(!fcntl(sealed, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW), "seal");
	noexec = memfd_create("noexec", MFD_CLOEXEC | MFD_NOEXEC_SEAL);
	if (noexec >= 0)
		fill_program(noexec);
	open_one = start(plain, "open", true);
	closed_one = start(plain, "closed", false);
	fill_program(status = open(test_path("removed"), O_WRONLY | O_CREAT | O_CLOEXEC, 0755));
	close(status);
	status = open(test_path("removed"), O_RDONLY | O_CLOEXEC);
	unlink(test_path("removed"));
	removed = start(status, "removed", true);
	close(status);
	script = start_script(memfd_create("script", 0));

	brk = checkpoint_here();
	if (brk == 1)
		open_again(shown, O_RDWR), close(shown);
	if (brk == 2)
		also = dup(also);
	check(run(plain) == 42, "from memfd_create: %d", run(plain));
	check(run(twice) == -ETXTBSY, "with another writer: %d", run(twice));
	close(also);
	check(run(twice) == 42, "without it: %d", run(twice));
	check(run(shown) == -ETXTBSY, "opened again: %d", run(shown));
	also = open_again(shown, O_RDONLY);
	close(shown);
	check(run(also) == 42, "only read: %d", run(also));
	check(run(sealed) == 42, "sealed: %d", run(sealed));
	check(fcntl(sealed, F_GET_SEALS) == (F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW), "seals %#x",
	      fcntl(sealed, F_GET_SEALS));
	if (noexec >= 0) {
		check(run(noexec) == -EACCES, "without permission: %d", run(noexec));
		check(fcntl(noexec, F_GET_SEALS) == F_SEAL_EXEC && fchmod(noexec, 0777) < 0, "seals %#x",
		      fcntl(noexec, F_GET_SEALS));
	}
	join_task(open_one);
	join_task(closed_one);
	join_task(removed);
	write_file("fifo", "go\n");
	check(waitpid(script, &status, 0) == script && WEXITSTATUS(status) == 7, "the script: %#x", status);
	check(map[0] == 0x7f, "mapping");
	test_done();
}
