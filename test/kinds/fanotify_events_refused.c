// SPDX-License-Identifier: GPL-2.0-only
/*
 * Unread fanotify events are refused by name, and remain queued.
 * test: options=--timeout=1 refused='fd.*\b300\b.*fanotify.*events.*--skip-events'
 */
#include "checkpoint.h"
#include <sys/fanotify.h>

int main(int argc, char **argv)
{
	struct fanotify_event_metadata event = { 0 };
	int fd;

	test_init(argc, argv);
	write_file("file", "x");
	fd = fanotify_init(FAN_CLASS_NOTIF | FAN_NONBLOCK, O_RDONLY);
	if (fd < 0 && errno == ENOSYS)
		test_skip("this kernel has no fanotify");
	need(dup2(fd, 300) == 300 && !close(fd), "dup2");
	need(!fanotify_mark(300, FAN_MARK_ADD, FAN_CLOSE_WRITE, AT_FDCWD, "file"), "mark");
	write_file("file", "y");
	if (checkpoint_here())
		need(read(300, &event, sizeof(event)) > 0, "read");
	check(read(300, &event, sizeof(event)) == sizeof(event) && event.mask == FAN_CLOSE_WRITE, "event 0x%llx",
	      (unsigned long long)event.mask);
	test_done();
}
