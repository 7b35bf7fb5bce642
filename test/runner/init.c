// SPDX-License-Identifier: GPL-2.0-only
/*
 * init [-p]... [-m | -r ROOT] PROGRAM ARG...: the first process of a pid namespace; with -p, of a new one, and its parent waits for it. Runs the program in its own session, reaps all orphans,
 * and exits like the program: with its exit status, or 128 plus the number of its signal. With -r, in a mount namespace of
 * its own, it makes the directory ROOT its root first: with the directories of the present root, a proc of its own, and
 * pseudoterminals of its own. With -m it only mounts a proc of its own.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void must(int result, const char *what)
{
	if (result >= 0)
		return;
	perror(what);
	exit(126);
}

/* For root of a user namespace: nodes of the present /dev. */
static void make_dev(const char *dev)
{
	static const char *const nodes[] = { "null", "zero", "full", "random", "urandom", "tty", "ptmx" };
	static const char *const dirs[] = { "pts", "shm", "mqueue" };
	char from[1024], to[1024];

	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
		snprintf(to, sizeof(to), "%s/%s", dev, dirs[i]);
		must(mkdir(to, 0755), to);
	}
	for (size_t i = 0; i < sizeof(nodes) / sizeof(nodes[0]); i++) {
		snprintf(from, sizeof(from), "/dev/%s", nodes[i]);
		snprintf(to, sizeof(to), "%s/%s", dev, nodes[i]);
		must(mknod(to, S_IFREG | 0600, 0), to);
		if (strcmp(nodes[i], "ptmx"))
			must(mount(from, to, NULL, MS_BIND, NULL), to);
	}
}

/* Root of a user namespace cannot bind a directory without what is mounted below: that remains empty. */
static void bind_directory(const char *from, const char *to)
{
	if (!mount(from, to, NULL, MS_BIND, NULL))
		return;
	must(errno == EINVAL ? 0 : -1, to);
	if (!strcmp(from, "/dev"))
		make_dev(to);
}

/* A link as it is; anything else is visible below the new root, too. */
static void take(const char *name, const char *root)
{
	char from[512], to[512], target[512];
	struct stat st;
	ssize_t len;

	snprintf(from, sizeof(from), "/%s", name);
	snprintf(to, sizeof(to), "%s/%s", root, name);
	must(lstat(from, &st), from);
	if (S_ISLNK(st.st_mode)) {
		len = readlink(from, target, sizeof(target) - 1);
		must((int)len, from);
		target[len] = 0;
		must(symlink(target, to), to);
	} else if (S_ISDIR(st.st_mode)) {
		must(mkdir(to, 0755), to);
		if (strcmp(name, "proc"))
			bind_directory(from, to);
	}
}

static void mount_below(const char *root, const char *type, const char *name, const char *options)
{
	char to[512];

	snprintf(to, sizeof(to), "%s/%s", root, name);
	must(mount(type, to, type, 0, options), to);
}

static void bind_below(const char *root, const char *from, const char *name)
{
	char source[512], to[512];

	snprintf(source, sizeof(source), "%s%s", *from == '/' ? "" : root, from);
	snprintf(to, sizeof(to), "%s/%s", root, name);
	must(mount(*from == '/' ? from : source, to, NULL, MS_BIND, NULL), to);
}

/* The same file, but on a mount of the new root. */
static void open_again(int fd, const char *path)
{
	int flags = fcntl(fd, F_GETFL), again = open(path, flags & (O_ACCMODE | O_APPEND));

	must(again, path);
	must(dup2(again, fd), path);
	close(again);
}

static void change_root(const char *root)
{
	char ptmx[512], out[512], link[] = "/proc/self/fd/1";
	ssize_t len = readlink(link, out, sizeof(out) - 1);
	DIR *dir;

	must((int)len, link);
	out[len] = 0;
	must(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), "mount /");
	must(mount(root, root, NULL, MS_BIND, NULL), root);
	dir = opendir("/");
	must(dir ? 0 : -1, "/");
	for (struct dirent *entry; (entry = readdir(dir));)
		if (entry->d_name[0] != '.')
			take(entry->d_name, root);
	closedir(dir);
	mount_below(root, "proc", "proc", NULL);
	mount_below(root, "devpts", "dev/pts", "newinstance,ptmxmode=666,mode=620,gid=5");
	bind_below(root, "/dev/shm", "dev/shm");
	snprintf(ptmx, sizeof(ptmx), "%s/dev/pts/ptmx", root);
	bind_below(root, ptmx, "dev/ptmx");
	must(chdir(root), root);
	must((int)syscall(SYS_pivot_root, ".", "."), "pivot_root");
	must(umount2(".", MNT_DETACH), "umount");
	must(chdir("/"), "/");
	open_again(0, "/dev/null");
	open_again(1, out);
	open_again(2, out);
}

static int await_end(pid_t program)
{
	pid_t ended;
	int status;

	while ((ended = wait(&status)) > 0 || errno == EINTR)
		if (ended == program)
			return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	return 1;
}

/* Continues as the first process of a new pid namespace. */
static void nest(void)
{
	pid_t inner;

	must(unshare(CLONE_NEWPID), "unshare");
	inner = fork();
	must(inner, "fork");
	if (inner)
		exit(await_end(inner));
}

int main(int argc, char **argv)
{
	pid_t program;

	for (; argc > 1 && !strcmp(argv[1], "-p"); argc--, argv++)
		nest();
	if (argc > 2 && !strcmp(argv[1], "-r")) {
		change_root(argv[2]);
		argc -= 2;
		argv += 2;
	}
	if (argc > 1 && !strcmp(argv[1], "-m")) {
		must(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), "mount /");
		must(mount("proc", "/proc", "proc", 0, NULL), "mount /proc");
		argc--;
		argv++;
	}
	if (argc < 2)
		return 2;
	program = fork();
	if (!program) {
		setsid();
		execv(argv[1], argv + 1);
		perror(argv[1]);
		_exit(127);
	}
	return await_end(program);
}
