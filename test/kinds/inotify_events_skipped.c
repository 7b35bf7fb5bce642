// SPDX-License-Identifier: GPL-2.0-only
/*
 * --skip-events: queued events are dropped, and no event caused by the restore replaces them, not even for a file that
 * the restore opens and reads; watches keep working, one-shot ones too.
 * test: options=--skip-events variants=restored,thrice
 */
#include "checkpoint.h"
#include <sys/inotify.h>
#include <sys/ioctl.h>

int main(int argc, char **argv)
{
	int fd, wd, once, file, waiting = 0;
	struct inotify_event event;
	char *map;

	test_init(argc, argv);
	write_file("file", "x");
	write_file("other", "x");
	file = open("file", O_RDONLY);
	map = mmap(NULL, 1, PROT_READ, MAP_PRIVATE, file, 0);
	need(file >= 0 && map != MAP_FAILED && *map == 'x', "map");
	fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	wd = inotify_add_watch(fd, "file", IN_OPEN | IN_ACCESS | IN_CLOSE | IN_ATTRIB);
	once = inotify_add_watch(fd, "other", IN_ATTRIB | IN_ONESHOT);
	need(wd > 0 && once > 0, "watches");
	chmod("file", 0600);
	need(!ioctl(fd, FIONREAD, &waiting) && waiting == sizeof(event), "%d bytes are queued", waiting);

	if (checkpoint_here())
		chmod("other", 0644);

	/* Without a dump it is still queued. */
	for (int n = 0; read(fd, &event, sizeof(event)) > 0; n++)
		check(!n && event.wd == wd && event.mask == IN_ATTRIB,
		      "an event of watch %d, %x, that we did not cause", event.wd, event.mask);
	chmod("file", 0644);
	check(read(fd, &event, sizeof(event)) == sizeof(event) && event.wd == wd && event.mask == IN_ATTRIB, "event");
	chmod("other", 0600);
	check(read(fd, &event, sizeof(event)) == sizeof(event) && event.wd == once && event.mask == IN_ATTRIB, "once");
	check(read(fd, &event, sizeof(event)) == sizeof(event) && event.wd == once && event.mask == IN_IGNORED,
	      "once only");
	test_done();
}
