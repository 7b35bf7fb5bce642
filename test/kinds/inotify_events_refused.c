// SPDX-License-Identifier: GPL-2.0-only
/*
 * Unread inotify events: they cannot be requeued, so the dump is refused; no event is lost by that.
 * test: options=--timeout=1 refused='fd.*\b300\b.*inotify.*events.*--skip-events'
 */
#include "checkpoint.h"
#include <sys/inotify.h>
#include <sys/ioctl.h>

int main(int argc, char **argv)
{
	struct inotify_event event;
	int fd, wd, waiting = 0;

	test_init(argc, argv);
	write_file("file", "x");
	fd = inotify_init1(IN_CLOEXEC);
	need(dup2(fd, 300) == 300, "dup2");
	wd = inotify_add_watch(fd, "file", IN_ATTRIB);
	close(fd);
	chmod("file", 0600);
	need(!ioctl(300, FIONREAD, &waiting) && waiting == sizeof(event), "%d bytes are queued", waiting);

	if (checkpoint_here())
		need(read(300, &event, sizeof(event)) > 0, "read");

	waiting = 0;
	check(!ioctl(300, FIONREAD, &waiting) && waiting == sizeof(event), "%d bytes are queued", waiting);
	fcntl(300, F_SETFL, O_NONBLOCK);
	check(read(300, &event, sizeof(event)) == sizeof(event) && event.wd == wd && event.mask == IN_ATTRIB, "event");
	test_done();
}
