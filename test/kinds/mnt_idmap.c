// SPDX-License-Identifier: GPL-2.0-only
/*
 * Idmapped mounts: of a file system of the tree as a whole and in part, with maps of several lines, two with the same maps, one
 * that is the only mount of its file system (whose content is saved with the ids that it has), one that is hidden by another
 * mount; and files that are created through them.
 * test: flavours=container breaks=4 ignore=.
 */
#include "idmap.h"
#include <sys/fsuid.h>
#include <sys/mount.h>

#define MAP "0 100000 1000\n5000 300000 10\n"
#define OTHER_MAP "0 200000 65536\n"

static char *dir(const char *name)
{
	char *path = strdup(test_path(name));

	need(!mkdir(path, 0755) || errno == EEXIST, "%s (errno %d)", path, errno);
	return path;
}

static void mount_idmapped(const char *from, const char *to, const char *map)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (uint64_t)idmap_user_ns(map) };
	int fd = open_tree(AT_FDCWD, from, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

	need(fd >= 0, "copy %s (errno %d)", from, errno);
	if (mount_setattr(fd, "", AT_EMPTY_PATH, &attr, sizeof(attr)))
		test_skip("tmpfs cannot be idmapped here");
	need(!move_mount(fd, "", AT_FDCWD, to, MOVE_MOUNT_F_EMPTY_PATH), "attach to %s (errno %d)", to, errno);
	close(fd);
	close((int)attr.userns_fd);
}

static void file_of(const char *path, uid_t uid, gid_t gid)
{
	write_file(path, "text");
	need(!chown(path, uid, gid), "chown %s (errno %d)", path, errno);
}

static void check_owner(const char *path, uid_t uid, gid_t gid)
{
	struct stat st = { 0 };

	check(!stat(path, &st) && st.st_uid == uid && st.st_gid == gid, "%s: %u:%u, not %u:%u", path, st.st_uid,
	      st.st_gid, uid, gid);
}

static void build(void)
{
	char *plain = dir("plain");

	need(!mount("plain", plain, "tmpfs", 0, "mode=777"), "tmpfs");
	dir("plain/part");
	file_of(test_path("plain/part/file"), 7, 5003);
	file_of(test_path("plain/unmapped"), 1001, 1002);
	mount_idmapped(plain, dir("whole"), MAP);
	mount_idmapped(test_path("plain/part"), dir("part"), MAP);
	mount_idmapped(plain, dir("other"), OTHER_MAP);
	/* Its first, and only, mount. */
	need(!mount("only", dir("only"), "tmpfs", 0, "mode=777"), "tmpfs");
	file_of(test_path("only/file"), 3, 4);
	mount_idmapped(test_path("only"), dir("alone"), OTHER_MAP);
	need(!umount(test_path("only")), "umount");
	need(!mount("cover", test_path("alone"), "tmpfs", 0, "size=100k"), "tmpfs");
}

static void corrupt(int fault)
{
	const char *names[] = { "whole", "part", "other" };

	if (fault >= 1 && fault <= 3) {
		umount2(test_path(names[fault - 1]), MNT_DETACH);
		mount(test_path("plain"), test_path(names[fault - 1]), NULL, MS_BIND, NULL);
	}
	if (fault == 4) {
		umount(test_path("alone"));
		umount(test_path("alone"));
	}
}

static void check_new_file(void)
{
	struct stat st = { 0 };
	int fd;

	setfsgid(300002);
	setfsuid(100020);
	fd = open(test_path("whole/new"), O_CREAT | O_RDWR, 0600);
	setfsuid(0);
	setfsgid(0);
	check(fd >= 0 && !fstat(fd, &st) && st.st_uid == 100020 && st.st_gid == 300002, "new file: %u:%u (errno %d)",
	      st.st_uid, st.st_gid, errno);
	check_owner(test_path("plain/new"), 20, 5002);
	unlink(test_path("plain/new"));
}

int main(int argc, char **argv)
{
	test_init(argc, argv);
	build();
	corrupt(checkpoint_here());
	check_owner(test_path("plain/part/file"), 7, 5003);
	check_owner(test_path("whole/part/file"), 100007, 300003);
	check_owner(test_path("whole/unmapped"), 65534, 65534);
	check_owner(test_path("part/file"), 100007, 300003);
	check_owner(test_path("other/part/file"), 200007, 205003);
	check_new_file();
	check(!umount(test_path("alone")), "what covers it (errno %d)", errno);
	check_owner(test_path("alone/file"), 200003, 200004);
	test_done();
}
