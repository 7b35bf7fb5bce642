// SPDX-License-Identifier: GPL-2.0-only
/*
 * tmpfs in a mount namespace: every type of file with owners, modes, times in ns, extended attributes, ACLs, capabilities,
 * hard links, holes; limits and other options; the attributes of the root directory; a read-only one, one that is
 * mounted twice, one below another, a full one, an unbindable one; files that the program has open, mapped, unlinked; sockets with and
 * without a program.
 * test: breaks=6 decode=yes flavours=container ignore=fd/[0-9]+/ino|maps
 */
#include "checkpoint.h"
#include <poll.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>

static const unsigned char capability[] = { 1, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 };
/* user::rw- user:7:r-- group::r-- mask::rw- other::--- */
static const unsigned char acl[] = { 2, 0, 0,	 0,    1,    0,	   6,  0, 0xff, 0xff, 0xff, 0xff, 2,	0,   4,
				     0, 7, 0,	 0,    0,    4,	   0,  4, 0,	0xff, 0xff, 0xff, 0xff, 16,  0,
				     6, 0, 0xff, 0xff, 0xff, 0xff, 32, 0, 0,	0,    0xff, 0xff, 0xff, 0xff };

static void mount_tmpfs(const char *name, unsigned long flags, const char *options)
{
	mkdir(name, 0755);
	need(!mount(name, name, "tmpfs", flags, options), "mount %s", name);
}

static void put(const char *path, mode_t mode, const char *text)
{
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	need(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text) && !fchmod(fd, mode), "%s", path);
	close(fd);
}

static void set_times(const char *path, long sec, long nsec)
{
	const struct timespec times[] = { { sec - 5, 123456789 }, { sec, nsec } };

	need(!utimensat(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW), "times of %s", path);
}

static void check_times(const char *path, long sec, long nsec)
{
	struct stat st = { 0 };

	check(!lstat(path, &st) && st.st_mtim.tv_sec == sec && st.st_mtim.tv_nsec == nsec, "mtime of %s: %ld.%09ld",
	      path, (long)st.st_mtim.tv_sec, (long)st.st_mtim.tv_nsec);
	check(st.st_atim.tv_sec == sec - 5 && st.st_atim.tv_nsec == 123456789, "atime of %s: %ld.%09ld", path,
	      (long)st.st_atim.tv_sec, (long)st.st_atim.tv_nsec);
}

static void check_file(const char *path, mode_t mode, uid_t uid, gid_t gid)
{
	struct stat st = { 0 };

	check(!lstat(path, &st) && st.st_mode == mode, "mode of %s: %o", path, st.st_mode);
	check(st.st_uid == uid && st.st_gid == gid, "owner of %s: %u:%u", path, st.st_uid, st.st_gid);
}

static void check_text(const char *path, const char *text)
{
	char got[100] = "";
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOATIME);
	ssize_t n = read(fd, got, sizeof(got) - 1);

	check(n == (ssize_t)strlen(text) && !strcmp(got, text), "%s: '%s'", path, got);
	close(fd);
}

static void check_xattr(const char *path, const char *name, const void *value, size_t len)
{
	char got[100];
	ssize_t n = lgetxattr(path, name, got, sizeof(got));

	check(n == (ssize_t)len && !memcmp(got, value, len), "%s of %s: %zd", name, path, n);
}

/* ---- all types of files ---- */

static bool has_acls;

static void make_files(void)
{
	char name[] = "a/\xff odd \n name";

	put("a/file", 0640, "hello, world");
	put("a/suid", 06755, "#!");
	put(name, 0600, "odd");
	mkdir("a/dir", 0700);
	mkdir("a/dir/empty", 0700);
	chmod("a/dir/empty", 03771);
	link("a/file", "a/dir/hard");
	symlink("../no/where", "a/dir/link");
	mknod("a/fifo", S_IFIFO | 0600, 0);
	mknod("a/null", S_IFCHR | 0666, makedev(1, 3));
	mknod("a/whiteout", S_IFCHR, makedev(0, 0));
	need(!setxattr("a/suid", "security.capability", capability, sizeof(capability), 0), "capability");
	need(!setxattr("a/dir", "trusted.overlay.opaque", "y", 1, 0), "trusted");
	need(!lsetxattr("a/dir/link", "trusted.on_link", "link", 4, 0), "trusted of a link");
	put("a/acl", 0600, "");
	has_acls = !setxattr("a/acl", "system.posix_acl_access", acl, sizeof(acl), 0);
	chown("a/file", 1000, 1001);
	lchown("a/dir/link", 7, 8);
	chown("a/fifo", 0, 5);
	chmod("a/fifo", 0620);
	set_times("a/file", 1000000000, 999999999);
	set_times("a/dir/link", 86400, 5);
	set_times("a/fifo", 4102444800, 1);
	set_times("a/dir/empty", 12345, 54321);
	chown("a/dir", 3, 4);
	chmod("a/dir", 02750);
	set_times("a/dir", 1234567890, 987654321);
}

static void check_files(void)
{
	char name[] = "a/\xff odd \n name", target[20] = "";
	struct stat st = { 0 };

	check_file("a/file", S_IFREG | 0640, 1000, 1001);
	check_file("a/suid", S_IFREG | 06755, 0, 0);
	check_file("a/dir", S_IFDIR | 02750, 3, 4);
	check_file("a/dir/empty", S_IFDIR | 03771, 0, 0);
	check_file("a/dir/link", S_IFLNK | 0777, 7, 8);
	check_file("a/fifo", S_IFIFO | 0620, 0, 5);
	check_file("a/null", S_IFCHR | 0644, 0, 0);
	check_file("a/whiteout", S_IFCHR, 0, 0);
	check(!stat("a/null", &st) && st.st_rdev == makedev(1, 3), "null: %lx", (long)st.st_rdev);
	check(!stat("a/whiteout", &st) && !st.st_rdev, "whiteout: %lx", (long)st.st_rdev);
	check(!stat("a/file", &st) && st.st_nlink == 2, "links: %d", (int)st.st_nlink);
	check_text("a/dir/hard", "hello, world");
	check_text(name, "odd");
	check_times("a/file", 1000000000, 999999999);
	check_times("a/dir/link", 86400, 5);
	check_times("a/fifo", 4102444800, 1);
	check_times("a/dir/empty", 12345, 54321);
	check_times("a/dir", 1234567890, 987654321);
	check(readlink("a/dir/link", target, sizeof(target)) == 11 && !strcmp(target, "../no/where"), "link: %s",
	      target);
	check_xattr("a/suid", "security.capability", capability, sizeof(capability));
	check_xattr("a/dir", "trusted.overlay.opaque", "y", 1);
	check_xattr("a/dir/link", "trusted.on_link", "link", 4);
	if (has_acls)
		check_xattr("a/acl", "system.posix_acl_access", acl, sizeof(acl));
}

/* ---- holes, limits ---- */

static void make_sparse(void)
{
	int fd = open("a/sparse", O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	need(!ftruncate(fd, 1l << 40) && pwrite(fd, "middle", 6, 1l << 30) == 6, "sparse file");
	close(fd);
}

static void check_sparse(void)
{
	int fd = open("a/sparse", O_RDONLY | O_CLOEXEC);
	char text[7] = "";
	struct stat st = { 0 };

	check(!fstat(fd, &st) && st.st_size == 1l << 40 && st.st_blocks <= 8, "size %ld, %ld blocks", (long)st.st_size,
	      (long)st.st_blocks);
	check(pread(fd, text, 6, 1l << 30) == 6 && !strcmp(text, "middle"), "'%s'", text);
	check(lseek(fd, 0, SEEK_DATA) == 1l << 30, "data at %ld", (long)lseek(fd, 0, SEEK_DATA));
	close(fd);
}

static void fill_up(const char *path)
{
	static char bytes[4096];
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	while (write(fd, bytes, sizeof(bytes)) > 0)
		;
	need(errno == ENOSPC, "fill %s", path);
	close(fd);
}

static void check_limits(void)
{
	struct statfs fs = { 0 };

	check(!statfs("a", &fs) && fs.f_blocks == 512 && fs.f_files == 200, "%ld blocks, %ld files", (long)fs.f_blocks,
	      (long)fs.f_files);
	check(!statfs("full", &fs) && fs.f_blocks == 16 && !fs.f_bfree, "%ld blocks, %ld free", (long)fs.f_blocks,
	      (long)fs.f_bfree);
	check_file("a", S_IFDIR | 01770, 11, 12);
	check_times("a", 1100000000, 17);
	check(mkdir("ro/new", 0700) < 0 && errno == EROFS, "ro is writable");
	check_text("ro/file", "read only");
	check_file("ro", S_IFDIR | 0711, 0, 0);
}

/* ---- sockets ---- */

static int listen_at(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strcpy(addr.sun_path, path);
	need(!bind(sock, (struct sockaddr *)&addr, sizeof(addr)) && !listen(sock, 5), "bind to %s", path);
	return sock;
}

static int connect_to(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strcpy(addr.sun_path, path);
	if (!connect(sock, (struct sockaddr *)&addr, sizeof(addr)))
		return sock;
	close(sock);
	return -errno;
}

static void make_sockets(void)
{
	close(listen_at("a/dir/stale"));
	chmod("a/dir/stale", 0612);
	chown("a/dir/stale", 21, 22);
	set_times("a/dir/stale", 777, 7);
	link("a/dir/stale", "a/dir/stale again");
}

static void check_sockets(int listener)
{
	struct stat st = { 0 };
	int client, server;
	char c = 0;

	check_times("a/sockets/live", 888, 8);
	check_times("a/sockets", 999, 9);
	client = connect_to("a/sockets/live");
	check_file("a/dir/stale", S_IFSOCK | 0612, 21, 22);
	check_times("a/dir/stale", 777, 7);
	check(!stat("a/dir/stale again", &st) && st.st_nlink == 2, "links of a socket: %d", (int)st.st_nlink);
	check(connect_to("a/dir/stale") == -ECONNREFUSED, "stale socket");
	check_file("a/sockets/live", S_IFSOCK | 0660, 31, 32);
	check(client >= 0, "connect: %d", client);
	server = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	check(write(client, "x", 1) == 1 && read(server, &c, 1) == 1 && c == 'x', "a byte through the socket");
	close(client);
	close(server);
}

/* ---- one file system below another ---- */

static void make_covered(void)
{
	mkdir("a/covered", 0705);
	put("a/covered/below", 0604, "below");
	mount_tmpfs("a/covered", 0, "mode=0750");
	put("a/covered/above", 0600, "above");
}

static int look_below(void *arg)
{
	need(!unshare(CLONE_NEWNS) && !mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), "unshare");
	need(!umount2("a/covered", MNT_DETACH), "umount");
	check_text("a/covered/below", "below");
	check_file("a/covered", S_IFDIR | 0705, 0, 0);
	return 0;
}

static void check_covered(void)
{
	check_text("a/covered/above", "above");
	check_file("a/covered", S_IFDIR | 0750, 0, 0);
	check(access("a/covered/below", F_OK) < 0, "it is not covered any more");
	join_task(fork_task(look_below, NULL));
}

/* ---- ---- */

static void make_all(void)
{
	umask(022);
	mount_tmpfs("a", 0, "size=2m,nr_inodes=200,mode=1770,uid=11,gid=12");
	mount_tmpfs("full", 0, "size=64k");
	fill_up("full/file");
	mount_tmpfs("ro", 0, "mode=0711");
	put("ro/file", 0600, "read only");
	need(!mount(NULL, "ro", NULL, MS_REMOUNT | MS_RDONLY, NULL), "remount");
	mount_tmpfs("empty", 0, NULL);
	mount_tmpfs("unbindable", 0, NULL);
	mkdir("unbindable/dir", 0700);
	mount_tmpfs("unbindable/dir", 0, NULL);
	need(!mount(NULL, "unbindable", NULL, MS_UNBINDABLE, NULL), "unbindable");
	put("unbindable/file", 0600, "without copies");
	make_files();
	make_sparse();
	make_sockets();
	make_covered();
	mkdir("bind", 0755);
	need(!mount("a/dir", "bind", NULL, MS_BIND, NULL), "bind");
	set_times("a/dir", 1234567890, 987654321);
}

static void spoil(int how)
{
	static const char *const paths[] = {
		"a/file", "a/dir", "a/suid", "a/dir/stale", "full/file", "a/covered/above"
	};

	if (!how)
		return;
	if (how == 3)
		removexattr(paths[2], "security.capability");
	else if (how == 2)
		set_times(paths[1], 5, 5);
	else
		unlink(paths[how - 1]);
}

int main(int argc, char **argv)
{
	int reader, removed, listener;
	char text[30] = "";
	char *map;

	test_init(argc, argv);
	make_all();
	/* Restoring a removed file changes the times of its directory. */
	mkdir("a/run", 0755);
	mkdir("a/sockets", 0755);
	put("a/run/open", 0600, "0123456789");
	put("a/run/removed", 0604, "without a name");
	reader = open("a/run/open", O_RDWR | O_CLOEXEC);
	removed = open("a/run/removed", O_RDWR | O_CLOEXEC);
	unlink("a/run/removed");
	lseek(reader, 4, SEEK_SET);
	map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, reader, 0);
	need(map != MAP_FAILED, "map");
	listener = listen_at("a/sockets/live");
	chown("a/sockets/live", 31, 32);
	chmod("a/sockets/live", 0660);
	set_times("a/sockets/live", 888, 8);
	set_times("a/sockets", 999, 9);
	set_times("a", 1100000000, 17);

	spoil(checkpoint_here());

	check_limits();
	check_files();
	check_sparse();
	check_covered();
	check_text("bind/hard", "hello, world");
	put("a/dir/new", 0600, "new");
	check_text("bind/new", "new");
	check_text("unbindable/file", "without copies");
	unlink("a/dir/new");
	check(rmdir("empty/x") < 0 && !mkdir("empty/x", 0700) && !rmdir("empty/x"), "the empty one");
	check(read(reader, text, 3) == 3 && !strcmp(text, "456"), "position: '%s'", text);
	map[0] = 'M';
	check_text("a/run/open", "M123456789");
	memset(text, 0, sizeof(text));
	check(pread(removed, text, 20, 0) == 14 && !strcmp(text, "without a name"), "removed: '%s'", text);
	check(access("a/run/removed", F_OK) < 0, "the removed file has a name");
	check_sockets(listener);
	test_done();
}
