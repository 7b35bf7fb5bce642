// SPDX-License-Identifier: GPL-2.0-only
/*
 * File systems that have never been attached, held by descriptors of fsmount(2): a tmpfs with limits, files, a socket and a long name's
 * worth of attributes, noexec, and a read-only ramfs, that is shared. Two descriptors of one description, an open file with its position,
 * a shared mapping, a working directory, and a child that has all of them; what they show, that they can still be written, or not, and
 * attached, by the child.
 * test: breaks=5 decode=yes ignore=fd/[3-8]/ino|maps flavours=host,container,rootless user-root=container
 */
#include "detached.h"
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/xattr.h>

static int keeper, same, ram, file, dir;
static char *mapped;

/* A new file system; -1: this user may not have one of that type. */
static int create(const char *type, const char *size)
{
	int fs = (int)syscall(SYS_fsopen, type, 0), fd;

	if (fs < 0 || (size && syscall(SYS_fsconfig, fs, FSCONFIG_SET_STRING, "size", size, 0)) ||
	    (size && syscall(SYS_fsconfig, fs, FSCONFIG_SET_STRING, "nr_inodes", "77", 0)) ||
	    syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0))
		test_skip("no file system can be created");
	fd = (int)syscall(SYS_fsmount, fs, 0, size ? MOUNT_ATTR_NOEXEC : 0);
	need(fd >= 0 && !close(fs), "fsmount (errno %d)", errno);
	return fd;
}

static void write_at(int at, const char *name, const char *text, mode_t mode)
{
	int fd = openat(at, name, O_CREAT | O_WRONLY | O_EXCL, mode);

	need(fd >= 0 && write(fd, text, strlen(text)) == (long)strlen(text) && !fchmod(fd, mode) && !close(fd), "%s",
	     name);
}

static void add_socket(void)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(name.sun_path, sizeof(name.sun_path), "/proc/self/fd/%d/socket", keeper);
	need(fd >= 0 && !bind(fd, (struct sockaddr *)&name, sizeof(name)) && !close(fd), "socket");
}

static void set_up(void)
{
	const struct mount_attr shared = { .attr_set = MOUNT_ATTR_RDONLY, .propagation = MS_SHARED };
	const struct timespec times[2] = { { 1000, 5 }, { 2000, 7 } };

	keeper = create("tmpfs", "256k");
	detached_need_copies(keeper);
	same = dup(keeper);
	need(!mkdirat(keeper, "below", 0750), "mkdir");
	write_at(keeper, "below/file", "hello", 0640);
	add_socket();
	need(!linkat(keeper, "below/file", keeper, "link", 0) && !symlinkat("below", keeper, "symlink"), "links");
	dir = openat(keeper, "below", O_RDONLY | O_DIRECTORY);
	file = openat(dir, "file", O_RDWR);
	need(file >= 0 && lseek(file, 2, SEEK_SET) == 2 && !fchdir(dir), "files");
	mapped = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	need(mapped != MAP_FAILED, "mmap");
	need(!fsetxattr(file, "trusted.x", "value", 5, 0) || errno == EPERM || errno == EOPNOTSUPP, "xattr");
	need(!utimensat(keeper, "below", times, 0), "times");
	ram = create("ramfs", NULL);
	write_at(ram, "two", "2", 0600);
	need(!syscall(SYS_mount_setattr, ram, "", AT_EMPTY_PATH, &shared, sizeof(shared)), "read-only");
}

static void look_at_files(void)
{
	struct stat st, other;
	char buf[16] = "";
	struct statvfs vfs;

	check(!fstatvfs(keeper, &vfs) && vfs.f_blocks * vfs.f_frsize == 256 << 10 && vfs.f_files == 77, "limits");
	check(vfs.f_flag & ST_NOEXEC && !(vfs.f_flag & ST_RDONLY), "flags %#lx", vfs.f_flag);
	check(!fstatvfs(ram, &vfs) && vfs.f_flag & ST_RDONLY && !(vfs.f_flag & ST_NOEXEC), "flags %#lx", vfs.f_flag);
	check(!fstat(file, &st) && st.st_nlink == 2 && (st.st_mode & 07777) == 0640, "attributes");
	check(!fstatat(keeper, "link", &other, 0) && other.st_ino == st.st_ino, "hard link");
	check(!fstatat(keeper, "below", &st, 0) && st.st_mtim.tv_sec == 2000 && st.st_mtim.tv_nsec == 7, "times");
	check(!fstatat(keeper, "socket", &st, 0) && S_ISSOCK(st.st_mode), "socket");
	check(readlinkat(keeper, "symlink", buf, sizeof(buf)) == 5 && !memcmp(buf, "below", 5), "symbolic link");
	check(fgetxattr(file, "trusted.x", buf, sizeof(buf)) < 0 || !memcmp(buf, "value", 5), "xattr");
	check(has_text_at(ram, "two", "2"), "content");
}

static void look(void)
{
	look_at_files();
	check(mount_of(keeper) == mount_of(dir) && mount_of(keeper) == mount_of(file) &&
		      mount_of(keeper) == mount_of(same) && mount_of(keeper) != mount_of(ram) &&
		      mount_of(AT_FDCWD) == mount_of(keeper),
	      "mounts");
	detached_file_continues(file);
	check(has_text_at(keeper, "link", "hello") && has_text("file", "hello"), "content");
	check(openat(ram, "new", O_CREAT | O_WRONLY, 0600) < 0 && errno == EROFS, "writable");
	check(fcntl(keeper, F_GETFL) == O_PATH && fcntl(ram, F_GETFL) == O_PATH, "not O_PATH");
}

static int child(void *arg)
{
	const int round = *(int *)arg;

	checkpoint_task("child", round);
	look();
	detached_own_mounts();
	detached_shows(keeper, "point/below/file", "hello", "size=256k,nr_inodes=77");
	detached_shows(ram, "point/two", "2", " shared:");
	return 0;
}

int main(int argc, char **argv)
{
	int round = 0;
	pid_t pid;

	test_init(argc, argv);
	need(!mkdir("point", 0755), "mkdir");
	set_up();
	pid = fork_task(child, &round);
	await_task("child");
	switch (checkpoint_here()) {
	case 1:
		dup2(ram, keeper);
		break;
	case 2:
		lseek(file, 0, SEEK_SET);
		break;
	case 3:
		need(!chdir("/"), "chdir");
		break;
	case 4:
		unlinkat(keeper, "link", 0);
		break;
	case 5:
		fchmod(file, 0600);
		break;
	}
	look();
	join_task(pid);
	check(mapped[0] == 'h', "mapped");
	test_done();
}
