// SPDX-License-Identifier: GPL-2.0-only
/*
 * O_PATH descriptors of everything: file, directory, symbolic link, FIFO, socket, device, files in /proc and /sys, a
 * removed file and directory; files opened through /proc/PID/fd and /proc/PID/cwd; files in a tmpfs.
 * test: breaks=1
 */
#include "checkpoint.h"
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/un.h>

static struct stat before[16];
static int fds[16], nr;

static int open_path(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC);

	need(fd >= 0 && !fstat(fd, &before[nr]), "%s", path);
	return fds[nr++] = fd;
}

int main(int argc, char **argv)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX, .sun_path = "socket" };
	char path[64], target[64] = "", buf[16] = "";
	int sock, link, file, gone, gone_dir, through, cwd, tmp, link_now;
	struct stat now;

	test_init(argc, argv);
	write_file("file", "content");
	write_file("gone", "gone");
	mkdir("dir", 0750);
	mkdir("gone_dir", 0701);
	mkdir("tmpfs", 0755);
	need(!symlink("to nowhere", "link") && !mkfifo("fifo", 0640), "link and fifo");
	sock = socket(AF_UNIX, SOCK_STREAM, 0);
	need(!bind(sock, (struct sockaddr *)&un, sizeof(un)), "bind");
	close(sock); /* its file remains; restoring the socket would create a new one */
	need(!mount("none", "tmpfs", "tmpfs", 0, NULL), "mount");
	write_file("tmpfs/file", "tmp");
	file = open_path("file", O_PATH);
	open_path("dir", O_PATH | O_DIRECTORY);
	link = open_path("link", O_PATH | O_NOFOLLOW);
	open_path("fifo", O_PATH);
	open_path("socket", O_PATH);
	open_path("/dev/null", O_PATH);
	open_path("/dev/tty", O_PATH);
	open_path("/proc/self/status", O_PATH);
	open_path("/sys/kernel/mm", O_PATH);
	gone = open_path("gone", O_PATH);
	gone_dir = open_path("gone_dir", O_PATH | O_DIRECTORY);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
	through = open_path(path, O_RDWR);
	cwd = open_path("/proc/self/cwd", O_RDONLY | O_DIRECTORY);
	tmp = open_path("tmpfs/file", O_RDWR);
	need(!unlink("gone") && !rmdir("gone_dir"), "remove");

	if (checkpoint_here())
		dup2(file, link);

	for (int i = 0; i < nr; i++) {
		int flags = fcntl(fds[i], F_GETFL);

		check(!fstat(fds[i], &now) && now.st_mode == before[i].st_mode && now.st_rdev == before[i].st_rdev &&
			      (now.st_dev == before[i].st_dev),
		      "descriptor %d: mode 0%o (not 0%o)", fds[i], now.st_mode, before[i].st_mode);
		check(fcntl(fds[i], F_GETFD) == FD_CLOEXEC && !!(flags & O_PATH) == (fds[i] < through),
		      "descriptor %d: flags 0%o", fds[i], flags);
	}
	link_now = (int)readlinkat(link, "", target, sizeof(target) - 1);
	check(link_now == 10 && !strcmp(target, "to nowhere"), "link to %s", target);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", gone);
	check(read_file(path, buf, sizeof(buf)) == 4 && !strcmp(buf, "gone"), "the removed file: %s", buf);
	check(!fstat(gone_dir, &now) && !now.st_nlink, "the removed directory has a name");
	check(read(through, buf, 7) == 7 && !memcmp(buf, "content", 7), "through /proc: %s", buf);
	check(!faccessat(cwd, "file", R_OK, 0), "working directory");
	check(read(tmp, buf, 3) == 3 && !memcmp(buf, "tmp", 3), "tmpfs");
	test_done();
}
