// SPDX-License-Identifier: GPL-2.0-only
/*
 * fanotify: groups with descriptors and with file handles; marks on inodes (a moved one, a removed one, ignored
 * events), on a mount, on a file system. The kernel's description of them is unchanged, events are delivered, none is
 * spurious.
 * test: breaks=2 decode=yes ignore=fd/5/fanotify
 */
#include "checkpoint.h"
#include <sys/fanotify.h>
#include <sys/ioctl.h>
#include <sys/mount.h>

static char *marks(int fd)
{
	static char text[4][8192];
	static int which;
	char path[64], *from;

	which = (which + 1) % 4;
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	need(read_file(path, text[which], sizeof(text[which])) > 0, "%s", path);
	from = strstr(text[which], "fanotify ");
	need(from, "no group: %s", text[which]);
	return from;
}

static void expect(int fd, uint64_t mask, const char *path)
{
	struct fanotify_event_metadata event[8] = { 0 };
	char link[64], name[512] = "";
	ssize_t len = read(fd, event, sizeof(event));

	check(len == sizeof(*event), "%s: %zd bytes of events", path, len);
	if (len <= 0)
		return;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", event->fd);
	check(event->mask == mask && readlink(link, name, sizeof(name) - 1) > 0 && strstr(name, path),
	      "event 0x%llx (not 0x%lx) of %s (not %s)", (unsigned long long)event->mask, mask, name, path);
	close(event->fd);
}

static void silent(int fd, const char *what)
{
	int waiting = 0;

	check(!ioctl(fd, FIONREAD, &waiting) && !waiting, "%s: %d bytes of events", what, waiting);
}

int main(int argc, char **argv)
{
	int fds, fid, gone, held, brk;
	char *before, *before_fid;
	char info[4096];

	test_init(argc, argv);
	write_file("file", "x");
	write_file("other", "x");
	write_file("goes", "x");
	mkdir("dir", 0755);
	mkdir("tmpfs", 0755);
	need(!mount("none", "tmpfs", "tmpfs", 0, NULL), "mount");
	write_file("tmpfs/file", "x");
	fds = fanotify_init(FAN_CLASS_NOTIF | FAN_NONBLOCK | FAN_CLOEXEC, O_RDONLY | O_LARGEFILE);
	if (fds < 0 && errno == ENOSYS)
		test_skip("no fanotify");
	fid = fanotify_init(FAN_CLASS_NOTIF | FAN_NONBLOCK | FAN_REPORT_DFID_NAME | FAN_UNLIMITED_MARKS, 0);
	gone = fanotify_init(FAN_CLASS_NOTIF | FAN_NONBLOCK, O_RDONLY);
	need(fds == 3 && fid == 4 && gone == 5, "fanotify_init");
	need(!fanotify_mark(fds, FAN_MARK_ADD, FAN_MODIFY | FAN_CLOSE_WRITE, AT_FDCWD, "file"), "inode");
	need(!fanotify_mark(fds, FAN_MARK_ADD | FAN_MARK_IGNORED_MASK | FAN_MARK_IGNORED_SURV_MODIFY, FAN_CLOSE_WRITE,
			    AT_FDCWD, "file"),
	     "ignore");
	need(!fanotify_mark(fds, FAN_MARK_ADD, FAN_OPEN | FAN_EVENT_ON_CHILD | FAN_ONDIR, AT_FDCWD, "dir"), "dir");
	need(!fanotify_mark(fds, FAN_MARK_ADD | FAN_MARK_MOUNT, FAN_CLOSE_WRITE, AT_FDCWD, "tmpfs"), "mount");
	need(!fanotify_mark(fid, FAN_MARK_ADD | FAN_MARK_FILESYSTEM, FAN_CREATE | FAN_DELETE | FAN_ONDIR, AT_FDCWD,
			    "tmpfs"),
	     "file system");
	need(!fanotify_mark(fid, FAN_MARK_ADD, FAN_ATTRIB, AT_FDCWD, "other"), "inode");
	need(!fanotify_mark(gone, FAN_MARK_ADD, FAN_MODIFY, AT_FDCWD, "goes"), "inode");
	held = open("goes", O_WRONLY);
	unlink("goes");
	rename("file", "dir/moved");
	silent(fds, "before");
	before = marks(fds);
	before_fid = marks(fid);

	brk = checkpoint_here();
	if (brk == 1)
		fanotify_mark(fds, FAN_MARK_REMOVE, FAN_OPEN, AT_FDCWD, "dir");
	if (brk == 2)
		fanotify_mark(gone, FAN_MARK_FLUSH, 0, AT_FDCWD, NULL);

	check(fcntl(fds, F_GETFD) == FD_CLOEXEC && fcntl(fds, F_GETFL) & O_NONBLOCK, "flags");
	check(!strcmp(before, marks(fds)), "marks were\n%s\nand are\n%s", before, marks(fds));
	check(!strcmp(before_fid, marks(fid)), "marks were\n%s\nand are\n%s", before_fid, marks(fid));
	silent(fds, "caused by the restore");
	silent(fid, "caused by the restore");
	write_file("tmpfs/file", "y");
	expect(fds, FAN_CLOSE_WRITE, "tmpfs/file");
	silent(fid, "an existing file");
	write_file("tmpfs/new", "y");
	check(read(fid, info, sizeof(info)) > (ssize_t)FAN_EVENT_METADATA_LEN &&
		      ((struct fanotify_event_metadata *)info)->mask == FAN_CREATE,
	      "event by handle");
	expect(fds, FAN_CLOSE_WRITE, "tmpfs/new");
	write_file("dir/moved", "y");
	expect(fds, FAN_MODIFY | FAN_OPEN, "dir/moved");
	need(write(held, "y", 1) == 1, "write");
	expect(gone, FAN_MODIFY, "goes");
	test_done();
}
