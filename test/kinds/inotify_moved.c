// SPDX-License-Identifier: GPL-2.0-only
/*
 * inotify watches on files that have been moved, into a directory that was moved itself, that have other names now,
 * that are removed but open (they get a new inode); descriptors with gaps; every flag of a mask. The kernel must report
 * the same before and after.
 * test: breaks=2 ignore=fd/4/inotify
 */
#include "checkpoint.h"
#include <sys/inotify.h>
#include <sys/stat.h>

static char *fdinfo(int fd)
{
	static char text[2][8192];
	static int which;
	char path[64], *from;

	which = !which;
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	need(read_file(path, text[which], sizeof(text[which])) > 0, "%s", path);
	from = strstr(text[which], "inotify ");
	need(from, "no watch: %s", text[which]);
	return from;
}

static void expect(int fd, int wd, uint32_t mask, const char *what)
{
	struct inotify_event event = { 0 };
	ssize_t len = read(fd, &event, sizeof(event));

	check(len == sizeof(event) && event.wd == wd && event.mask == mask,
	      "%s: %zd bytes, watch %d (not %d), mask %x (not %x)", what, len, event.wd, wd, event.mask, mask);
}

int main(int argc, char **argv)
{
	int fd, gone, moved, deep, again, removed, held, odd, brk;
	char *before, *after, path[4096];

	test_init(argc, argv);
	fd = inotify_init1(IN_NONBLOCK);
	gone = inotify_init1(IN_NONBLOCK);
	need(fd == 3 && gone == 4, "descriptors");
	mkdir("dir", 0755);
	mkdir("dir/sub", 0755);
	write_file("moves", "x");
	write_file("dir/sub/deep", "x");
	write_file("twice", "x");
	write_file("goes", "x");
	write_file("stays", "x");
	odd = inotify_add_watch(fd, "stays", IN_ATTRIB);
	inotify_rm_watch(fd, odd); /* the gap */
	moved = inotify_add_watch(fd, "moves", IN_ATTRIB | IN_EXCL_UNLINK | IN_DONT_FOLLOW);
	deep = inotify_add_watch(fd, "dir/sub/deep", IN_ATTRIB | IN_MODIFY);
	again = inotify_add_watch(fd, "twice", IN_MODIFY);
	odd = inotify_add_watch(fd, "dir", IN_CREATE | IN_ONLYDIR);
	check(inotify_add_watch(fd, "twice", IN_MASK_ADD | IN_ATTRIB) == again, "IN_MASK_ADD");
	inotify_rm_watch(fd, odd); /* another gap */
	removed = inotify_add_watch(gone, "goes", IN_MODIFY);
	held = open("goes", O_RDWR);
	rename("moves", "dir/moved here");
	rename("dir/sub", "elsewhere");
	rename("dir", "renamed");
	rename("stays", "twice.new");
	rename("twice", "kept");
	rename("twice.new", "twice");
	unlink("goes");
	while (read(fd, path, sizeof(path)) > 0 || read(gone, path, sizeof(path)) > 0)
		;
	before = fdinfo(fd);

	brk = checkpoint_here();
	if (brk == 1)
		inotify_add_watch(fd, "kept", IN_MODIFY);
	if (brk == 2)
		inotify_rm_watch(fd, deep);

	after = fdinfo(fd);
	check(!strcmp(before, after), "watches were\n%s\nand are\n%s", before, after);
	chmod("renamed/moved here", 0600);
	expect(fd, moved, IN_ATTRIB, "a moved file");
	chmod("elsewhere/deep", 0600);
	expect(fd, deep, IN_ATTRIB, "a file in a moved directory");
	chmod("kept", 0600);
	expect(fd, again, IN_ATTRIB, "a replaced file");
	chmod("twice", 0600);
	check(read(fd, path, sizeof(path)) < 0 && errno == EAGAIN, "an event of another file");
	need(write(held, "y", 1) == 1, "write");
	expect(gone, removed, IN_MODIFY, "a removed file");
	test_done();
}
