// SPDX-License-Identifier: GPL-2.0-only
/*
 * A mount that is attached nowhere, with others mounted in it (open_tree(2) with AT_RECURSIVE), held by a descriptor: a directory, on
 * that another one, read-only, and on that a third one, a slave of a peer group, and a file. Open files and directories on several of
 * them, and a child that has all; what they show, on which mounts they are, and that the tree can still be attached.
 * test: breaks=4 decode=yes flavours=container
 */
#include "detached.h"

static int keeper, file, dir;

static void set(int fd, const char *path, uint64_t attributes, int propagation)
{
	const unsigned flags = fd == AT_FDCWD ? 0 : AT_RECURSIVE;
	struct mount_attr attr = { .attr_set = attributes, .propagation = propagation };

	if (!attributes)
		attr.attr_clr = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOEXEC;
	need(!syscall(SYS_mount_setattr, fd, path, AT_EMPTY_PATH | flags, &attr, sizeof(attr)),
	     "mount_setattr (errno %d)", errno);
}

static void set_up(void)
{
	need(!mkdir("one", 0755) && !mkdir("one/tmp", 0755) && !mkdir("two", 0755) && !mkdir("two/below", 0755) &&
		     !mkdir("three", 0755) && !mkdir("point", 0755),
	     "mkdir");
	write_file("one/own", "own");
	write_file("two/below/file", "hello");
	need(!mount("three", "one/tmp", NULL, MS_BIND, NULL) && !mount("two", "two", NULL, MS_BIND, NULL) &&
		     !mount(NULL, "two", NULL, MS_SHARED, NULL) && !mkdir("one/tmp/two", 0755),
	     "mounts");
	write_file("one/tmp/file", "");
	write_file("one/tmp/three", "3");
	need(!mount("two", "one/tmp/two", NULL, MS_BIND, NULL), "bind");
	need(!mount("one/own", "one/tmp/file", NULL, MS_BIND, NULL), "bind a file");
	/* Of a tree that is attached nowhere only the root can be changed, or all. */
	set(AT_FDCWD, "one/tmp", MOUNT_ATTR_RDONLY, 0);
	set(AT_FDCWD, "one/tmp/two", MOUNT_ATTR_NOEXEC, 0);
	keeper = (int)syscall(SYS_open_tree, AT_FDCWD, "one", OPEN_TREE_CLONE | AT_RECURSIVE);
	need(keeper >= 0, "open_tree (errno %d)", errno);
	detached_need_copies(keeper);
	set(keeper, "", MOUNT_ATTR_NODEV, MS_SLAVE);
	set(AT_FDCWD, "one/tmp", 0, 0);
	set(AT_FDCWD, "one/tmp/two", 0, 0);
	dir = openat(keeper, "tmp", O_RDONLY | O_DIRECTORY);
	file = openat(keeper, "tmp/two/below/file", O_RDWR);
	need(dir >= 0 && file >= 0 && lseek(file, 2, SEEK_SET) == 2, "files (errno %d)", errno);
	need(!fchdir(openat(keeper, "tmp/two/below", O_PATH)), "chdir");
}

static void look(void)
{
	check(has_text_at(keeper, "own", "own") && has_text_at(keeper, "tmp/file", "own") &&
		      has_text_at(dir, "three", "3") && has_text_at(keeper, "tmp/two/below/file", "hello") &&
		      has_text("file", "hello"),
	      "content");
	detached_file_continues(file);
	check(mount_at(keeper, "tmp") == mount_of(dir) && mount_of(dir) != mount_of(keeper), "the mount in it");
	check(mount_at(keeper, "tmp/two") == mount_of(file) && mount_of(file) != mount_of(dir) &&
		      mount_of(AT_FDCWD) == mount_of(file) && mount_at(keeper, "tmp/file") != mount_of(dir),
	      "the mounts in it");
	check(mount_flags(dir) & ST_RDONLY && !(mount_flags(file) & ST_RDONLY) && mount_flags(file) & ST_NOEXEC &&
		      !(mount_flags(keeper) & (ST_RDONLY | ST_NOEXEC)),
	      "flags %#lx %#lx %#lx", mount_flags(keeper), mount_flags(dir), mount_flags(file));
	check(openat(dir, "new", O_CREAT | O_WRONLY, 0600) < 0 && errno == EROFS, "writable");
}

/* Is the attached mount a slave of that of "two"? */
static void look_at_groups(void)
{
	static char mounts[1 << 16];
	const char *line;

	check(read_file("/proc/self/mountinfo", mounts, sizeof(mounts)) > 0, "mountinfo");
	line = strstr(mounts, "/point/tmp/two ");
	check(line && strstr(line, " master:") && strstr(line, " master:") < strchr(line, '\n'), "not a slave");
	line = strstr(mounts, "/point/tmp ");
	check(line && strstr(line, " - ") && !memmem(line, (size_t)(strchr(line, '\n') - line), ":", 1), "in a group");
}

static int child(void *arg)
{
	const int round = *(int *)arg;

	checkpoint_task("child", round);
	look();
	return 0;
}

int main(int argc, char **argv)
{
	int round = 0;
	pid_t pid;

	test_init(argc, argv);
	set_up();
	pid = fork_task(child, &round);
	await_task("child");
	switch (checkpoint_here()) {
	case 1:
		dup2(dir, keeper);
		break;
	case 2:
		set(keeper, "", MOUNT_ATTR_NODEV, MS_PRIVATE);
		break;
	case 3:
		need(!chdir("/"), "chdir");
		break;
	case 4:
		set(keeper, "", MOUNT_ATTR_NOEXEC, 0);
		break;
	}
	look();
	join_task(pid);
	detached_attach(keeper, "point");
	check(has_text(test_path("point/tmp/two/below/file"), "hello"), "attached");
	look_at_groups();
	need(!umount2(test_path("point"), MNT_DETACH), "umount");
	test_done();
}
