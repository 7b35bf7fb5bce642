// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "util/fds.h"
#include "util_check.h"
#include "util_files.h"

#define MIB (1u << 20)
static char dir[] = "/tmp/util_fds.XXXXXX";

static int memfile(const char *text)
{
	int fd = memfd_create("test", MFD_CLOEXEC);

	if (fd < 0 || pwrite_full(fd, text, strlen(text), 0))
		abort();
	return fd;
}

static void whole_reads_and_writes(void)
{
	_cleanup_close_ int fd = memfile("0123456789");
	char b[32] = "";
	int p[2];

	CHECK(read_full(fd, b, sizeof(b)) == 10 && pread_full(fd, b, 4, 8) == 2);
	CHECK(pread_exact(fd, b, 4, 6) == 0 && pread_exact(fd, b, 4, 7) == -ENODATA);
	CHECK(read_full(-1, b, 1) == -EBADF && write_full(-1, b, 1) == -EBADF);
	CHECK(!pipe2(p, O_CLOEXEC));
	pid_t pid = fork();
	if (!pid) {
		static char block[300000];
		_exit(write_full(p[1], block, sizeof(block)) || write_full(p[1], block, sizeof(block)) ? 1 : 0);
	}
	close(p[1]);
	static char all[700000];
	CHECK(read_full(p[0], all, sizeof(all)) == 600000);
	close(p[0]);
	int status;
	CHECK(waitpid(pid, &status, 0) == pid && !status);
}

static void files_by_path(void)
{
	_cleanup_buf_ struct buf b = { 0 };
	_cleanup_close_ int d = open_at(AT_FDCWD, dir, O_RDONLY | O_DIRECTORY, 0);
	char link[16];

	CHECK(d >= 0 && open_at(d, "none", O_RDONLY, 0) == -ENOENT && read_file(d, "none", &b) == -ENOENT);
	CHECK(!write_file(d, "f", "text\n", 5) && !read_file(d, "f", &b));
	CHECK(b.len == 5);
	CHECK_STR(b.data, "text\n");
	CHECK(!write_text(d, "f", "TE") && (buf_clear(&b), !read_file(d, "f", &b)));
	CHECK_STR(b.data, "TExt\n");
	CHECK(write_text(d, "none", "x") == -ENOENT);
	CHECK(!make_dirs(d, "a/b//c", 0700) && !make_dirs(d, "a/b/c", 0700) && make_dirs(d, "f/x", 0700) == -ENOTDIR);
	_cleanup_close_ int c = open_fmt(d, O_RDONLY, "a/%s/c", "b");
	CHECK(c >= 0 && (fcntl(c, F_GETFD) & FD_CLOEXEC));
	CHECK(!symlinkat("target", d, "l") && read_link(d, "l", link, sizeof(link)) == 6);
	CHECK_STR(link, "target");
	CHECK(read_link(d, "l", link, 6) == -ENAMETOOLONG);
	buf_clear(&b);
	CHECK(!read_file(AT_FDCWD, "/proc/self/smaps", &b) && b.len > 4096);
}

static void descriptors_move(void)
{
	_cleanup_close_ int fd = memfile("x");
	int up = dup_fd_above(fd, 100);

	CHECK(up >= 100 && (fcntl(up, F_GETFD) & FD_CLOEXEC));
	CHECK(move_fd_above(up, 50) == up);
	int higher = move_fd_above(up, 200);
	CHECK(higher >= 200 && fcntl(up, F_GETFD) < 0);
	CHECK(!sys_close_range(higher, higher, 0) && fcntl(higher, F_GETFD) < 0);
	CHECK(move_fd_above(-1, 3) == -EBADF);
	int pidfd = sys_pidfd_open(getpid(), 0);
	CHECK(pidfd >= 0);
	int copy = sys_pidfd_getfd(pidfd, fd);
	CHECK(copy >= 0 && copy != fd && sys_pidfd_getfd(pidfd, 9999) == -EBADF);
	CHECK(!sys_pidfd_send_signal(pidfd, 0) && sys_pidfd_open(0, 0) == -EINVAL);
	close(copy);
	close(pidfd);
}

static void ranges_are_copied(void)
{
	_cleanup_close_ int in = memfile("0123456789"), out = memfile("..........");
	char b[16] = "";
	int p[2];

	CHECK(!copy_range(in, 2, out, 5, 4) && pread_full(out, b, 16, 0) == 10);
	CHECK_STR(b, ".....2345.");
	CHECK(copy_range(in, 8, out, 0, 4) == -ENODATA);
	CHECK(!pipe2(p, O_CLOEXEC) && !copy_range(in, 1, p[1], -1, 5));
	CHECK(!copy_range(p[0], -1, out, 0, 5) && pread_full(out, b, 5, 0) == 5 && !memcmp(b, "12345", 5));
	lseek(in, 7, SEEK_SET);
	CHECK(!copy_range(in, -1, p[1], -1, 3) && read(p[0], b, 16) == 3 && !memcmp(b, "789", 3));
	close(p[0]);
	close(p[1]);
	CHECK(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, p));
	CHECK(!copy_range(in, 0, p[0], -1, 10) && read(p[1], b, 16) == 10 && !memcmp(b, "0123456789", 10));
	close(p[0]);
	close(p[1]);
	_cleanup_close_ int proc = open_at(AT_FDCWD, "/proc/self/maps", O_RDONLY, 0);
	CHECK(!copy_range(proc, 0, out, 0, 100));
	_cleanup_close_ int app = open_fmt(AT_FDCWD, O_RDWR | O_CREAT | O_APPEND, "%s/append", dir);
	CHECK(!copy_range(in, 0, app, -1, 10) && !copy_range(in, 0, app, -1, 10) && pread_full(app, b, 16, 10) == 10);
}

static int count_fds(void)
{
	int n = 0;

	for (int i = 0; i < 1024; i++)
		n += fcntl(i, F_GETFD) >= 0;
	return n;
}

static void descriptors_are_sent(void)
{
	int p[2], fds[SEND_FDS_MAX], got[SEND_FDS_MAX];
	char b[8] = "";
	size_t n;

	CHECK(!socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, p));
	for (int i = 0; i < SEND_FDS_MAX; i++)
		fds[i] = i % 3;
	CHECK(!send_fds(p[0], fds, 2, "hi", 2));
	n = 2;
	CHECK(recv_fds(p[1], got, &n, b, sizeof(b)) == 2 && n == 2 && !memcmp(b, "hi", 2));
	CHECK(fcntl(got[1], F_GETFD) & FD_CLOEXEC);
	close(got[0]);
	close(got[1]);
	int before = count_fds();
	CHECK(!send_fds(p[0], fds, SEND_FDS_MAX, "x", 1));
	n = 3;
	CHECK(recv_fds(p[1], got, &n, b, 1) == -EMSGSIZE && count_fds() == before);
	CHECK(!send_fds(p[0], fds, SEND_FDS_MAX, "x", 1));
	n = SEND_FDS_MAX;
	CHECK(recv_fds(p[1], got, &n, b, 1) == 1 && n == SEND_FDS_MAX);
	for (size_t i = 0; i < n; i++)
		close(got[i]);
	CHECK(send_fds(p[0], fds, SEND_FDS_MAX + 1, "x", 1) == -EINVAL && send_fds(p[0], fds, 1, "", 0) == -EINVAL);
	CHECK(!send_fds(p[0], NULL, 0, "data", 4));
	n = 1;
	CHECK(recv_fds(p[1], got, &n, b, 8) == 4 && !n);
	close(p[0]);
	n = 1;
	CHECK(recv_fds(p[1], got, &n, b, 8) == 0 && send_fds(p[1], fds, 1, "x", 1) == -EPIPE);
	close(p[1]);
	CHECK(count_fds() == before - 2);
}

int main(void)
{
	char cmd[64];

	if (!mkdtemp(dir))
		return 1;
	RUN(whole_reads_and_writes);
	RUN(files_by_path);
	RUN(descriptors_move);
	RUN(ranges_are_copied);
	RUN(descriptors_are_sent);
	snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	if (system(cmd))
		return 1;
	DONE();
}
