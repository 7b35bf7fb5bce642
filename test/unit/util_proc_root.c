// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "util/fds.h"
#include "util/proc_root.h"
#include "util_check.h"

static char dir[] = "/tmp/util_proc_root.XXXXXX";

/* The exit status of a child that runs @fn. */
static int in_child(int (*fn)(void))
{
	int status;
	pid_t pid = fork();

	if (!pid)
		_exit(fn());
	return pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static bool self_is_me(void)
{
	char text[32], want[32];

	snprintf(want, sizeof(want), "%d", getpid());
	return read_link(proc_root(), "self", text, sizeof(text)) > 0 && !strcmp(text, want);
}

static int from_an_empty_root(void)
{
	_cleanup_close_ int fd = memfd_create("test", MFD_CLOEXEC);
	char text[64] = "";

	if (chroot(dir) || chdir("/"))
		return 77;
	if (access("/proc", F_OK) == 0 || !self_is_me())
		return 1;
	if (proc_fd_read_link(fd, text, sizeof(text)) < 0 || strcmp(text, "/memfd:test (deleted)"))
		return 2;
	_cleanup_close_ int again = proc_fd_open(fd, O_RDWR);
	return again >= 0 && again != fd ? 0 : 3;
}

static void it_survives_a_change_of_root(void)
{
	CHECK(proc_root() >= 0);
	int status = in_child(from_an_empty_root);
	CHECK(!status || (status == 77 && geteuid()));
}

static void it_is_opened_once(void)
{
	int fd = proc_root();

	CHECK(fd >= 0 && proc_root() == fd && fcntl(fd, F_GETFD) == FD_CLOEXEC && self_is_me());
	CHECK(!proc_root_move_above(700) && proc_root() >= 700 && self_is_me());
	CHECK(fcntl(fd, F_GETFD) < 0 && errno == EBADF);
	fd = proc_root();
	CHECK(!proc_root_move_above(16) && proc_root() == fd);
}

static int with_all_closed(void)
{
	sys_close_range(0, ~0u, 0);
	proc_root_forget();
	return self_is_me() && proc_root() < 3 ? 0 : 1;
}

static void one_that_was_closed_is_opened_again(void)
{
	CHECK(proc_root() >= 0 && in_child(with_all_closed) == 0 && self_is_me());
}

static void an_open_file_has_a_path(void)
{
	_cleanup_close_ int at = open_at(AT_FDCWD, dir, O_PATH | O_DIRECTORY, 0),
			    fd = open_at(at, ".", O_TMPFILE | O_RDWR, 0600);
	struct stat a, b;

	CHECK(fd >= 0 && !proc_fd_link(fd, at, "name") && proc_fd_link(fd, at, "name") == -EEXIST);
	CHECK(!fstat(fd, &a) && !fstatat(at, "name", &b, 0) && a.st_ino == b.st_ino);
	CHECK(!unlinkat(at, "name", 0) && proc_fd_open(-1, O_RDONLY) == -ENOENT);
}

int main(void)
{
	if (!mkdtemp(dir))
		return 1;
	RUN(it_survives_a_change_of_root);
	RUN(it_is_opened_once);
	RUN(one_that_was_closed_is_opened_again);
	RUN(an_open_file_has_a_path);
	rmdir(dir);
	DONE();
}
