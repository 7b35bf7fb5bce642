// SPDX-License-Identifier: GPL-2.0-only
/*
 * A group with permission events would block all accesses for as long as it is frozen: refused by name.
 * test: refused='fd.*\b300\b.*fanotify.*permission'
 */
#include "checkpoint.h"
#include <sys/fanotify.h>

int main(int argc, char **argv)
{
	int fd;

	test_init(argc, argv);
	write_file("file", "x");
	fd = fanotify_init(FAN_CLASS_CONTENT | FAN_NONBLOCK, O_RDONLY);
	if (fd < 0 && (errno == ENOSYS || errno == EINVAL))
		test_skip("no fanotify permission events");
	need(dup2(fd, 300) == 300 && !close(fd), "dup2");
	need(!fanotify_mark(300, FAN_MARK_ADD, FAN_OPEN_PERM, AT_FDCWD, "file"), "mark");
	if (checkpoint_here())
		close(300);
	check(fcntl(300, F_GETFD) >= 0, "the group is gone");
	check(!fanotify_mark(300, FAN_MARK_REMOVE, FAN_OPEN_PERM, AT_FDCWD, "file"), "the mark is gone");
	test_done();
}
