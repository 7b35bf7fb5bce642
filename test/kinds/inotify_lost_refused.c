// SPDX-License-Identifier: GPL-2.0-only
/*
 * A watch on an unlinked file without a descriptor (a mapping keeps it alive): refused by name.
 * test: refused='fd.*\b300\b.*inotify.*watch.1.*no.known.path'
 */
#include "checkpoint.h"
#include <sys/inotify.h>

int main(int argc, char **argv)
{
	struct inotify_event event = { 0 };
	int fd, file;
	char *map;

	test_init(argc, argv);
	write_file("file", "x");
	file = open("file", O_RDWR);
	map = mmap(NULL, 1, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	need(map != MAP_FAILED, "map");
	fd = inotify_init1(IN_NONBLOCK);
	need(dup2(fd, 300) == 300 && !close(fd), "dup2");
	need(inotify_add_watch(300, "file", IN_MODIFY | IN_DELETE_SELF) == 1, "watch");
	unlink("file");
	close(file);
	if (checkpoint_here())
		need(!inotify_rm_watch(300, 1), "rm_watch");
	check(read(300, &event, sizeof(event)) < 0 && errno == EAGAIN, "spurious event: %x", event.mask);
	munmap(map, 1);
	check(read(300, &event, sizeof(event)) == sizeof(event) && event.mask == IN_DELETE_SELF, "event %x",
	      event.mask);
	test_done();
}
