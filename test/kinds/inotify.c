// SPDX-License-Identifier: GPL-2.0-only
/*
 * inotify: watch descriptors with gaps, masks, watches on files and directories, no spurious or lost events.
 * test: flavours=host,pid,container breaks=2 decode=yes
 */
#include "checkpoint.h"
#include <sys/inotify.h>
#include <sys/stat.h>

static int next_wd(int fd, uint32_t *mask, char *name)
{
	static char buf[65536] __attribute__((aligned(8)));
	static ssize_t len, at;
	struct inotify_event *e;

	if (at >= len) {
		at = 0;
		len = read(fd, buf, sizeof(buf));
		if (len <= 0)
			return -1;
	}
	e = (struct inotify_event *)(buf + at);
	at += (ssize_t)(sizeof(*e) + e->len);
	*mask = e->mask;
	strcpy(name, e->len ? e->name : "");
	return e->wd;
}

int main(int argc, char **argv)
{
	int fd, dir, file, gap, again, brk, wd, once;
	char name[256], names[64];
	uint32_t mask;

	test_init(argc, argv);
	mkdir("dir", 0755);
	write_file("file", "x");
	fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	gap = inotify_add_watch(fd, "/", IN_DELETE);
	inotify_rm_watch(fd, gap);
	dir = inotify_add_watch(fd, "dir", IN_CREATE | IN_DELETE | IN_MOVED_TO);
	snprintf(names, sizeof(names), "file");
	file = inotify_add_watch(fd, names, IN_MODIFY | IN_ATTRIB);
	once = inotify_add_watch(fd, "/tmp", IN_DELETE_SELF | IN_ONESHOT | IN_EXCL_UNLINK);
	need(dir > gap && file > dir && once > file, "watches");
	while (next_wd(fd, &mask, name) >= 0)
		; /* IN_IGNORED of the gap */

	brk = checkpoint_here();
	if (brk == 1)
		write_file("dir/early", "");
	if (brk == 2)
		inotify_rm_watch(fd, file);

	check(fcntl(fd, F_GETFL) & O_NONBLOCK && fcntl(fd, F_GETFD) == FD_CLOEXEC, "flags");
	wd = next_wd(fd, &mask, name);
	check(wd < 0, "spurious event: watch %d mask %x name %s", wd, mask, name);
	write_file("dir/new", "");
	wd = next_wd(fd, &mask, name);
	check(wd == dir && mask == IN_CREATE && !strcmp(name, "new"), "watch %d (not %d) mask %x name %s", wd, dir,
	      mask, name);
	write_file("file", "y");
	wd = next_wd(fd, &mask, name);
	check(wd == file && mask == IN_MODIFY, "watch %d (not %d) mask %x", wd, file, mask);
	again = inotify_add_watch(fd, "dir", IN_OPEN);
	check(again == dir, "the watch was on another directory: %d", again);
	check(inotify_add_watch(fd, "/", IN_DELETE) > once, "a new watch gets an old descriptor");
	check(!inotify_rm_watch(fd, once), "the third watch");
	test_done();
}
