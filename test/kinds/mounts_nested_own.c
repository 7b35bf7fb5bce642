// SPDX-License-Identifier: GPL-2.0-only
/*
 * The root of the tree is in the mount namespace of the tool, and children are in others: one with a tmpfs more and a mount
 * read-only, one with a tmpfs as its root directory. Files of one namespace that are open in the other.
 * test: flavours=host breaks=4 ignore=.
 */
#include "checkpoint.h"
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>

#define TMPFS_MAGIC_ 0x01021994

static bool is_tmpfs(const char *path)
{
	struct statfs fs;

	return !statfs(path, &fs) && fs.f_type == TMPFS_MAGIC_;
}

/* Also where the directory is in a tmpfs itself. */
static bool is_mount(const char *path)
{
	struct statx st;

	return !statx(AT_FDCWD, path, AT_NO_AUTOMOUNT, STATX_TYPE, &st) && (st.stx_attributes & STATX_ATTR_MOUNT_ROOT);
}

static ino_t own_ns(void)
{
	struct stat st = { 0 };

	need(!stat("/proc/self/ns/mnt", &st), "namespace");
	return st.st_ino;
}

static bool has_text(const char *path, const char *text)
{
	char buf[64];

	return read_file(path, buf, sizeof(buf)) == (long)strlen(text) && !strcmp(buf, text);
}

static void separate(void)
{
	need(!unshare(CLONE_NEWNS), "mount namespace (errno %d)", errno);
	need(!mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), "private (errno %d)", errno);
}

static int grown(void *arg)
{
	ino_t outside = own_ns();
	char text[16] = "";
	int inner, outer;

	outer = open("below", O_RDONLY);
	separate();
	need(!mount("more", test_path("more"), "tmpfs", MS_NOEXEC, "size=100k"), "mount (errno %d)", errno);
	write_file(test_path("more/file"), "inside");
	need(!mount(test_path("fixed"), test_path("fixed"), NULL, MS_BIND, NULL) &&
		     !mount(NULL, test_path("fixed"), NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL),
	     "read-only bind (errno %d)", errno);
	inner = open(test_path("more/file"), O_RDWR);
	need(outer >= 0 && inner >= 0 && !chdir(test_path("more")), "open");
	checkpoint_task("grown", 0);
	if (test_break() == 1)
		umount2(test_path("more"), MNT_DETACH);
	if (test_break() == 2)
		need(!mount(NULL, test_path("fixed"), NULL, MS_BIND | MS_REMOUNT, NULL), "writable");
	check(is_mount(test_path("more")), "its own mount");
	check(has_text(test_path("more/file"), "inside") && has_text("file", "inside"), "its content");
	check(read(outer, text, sizeof(text)) == 3 && !memcmp(text, "out", 3), "a file of outside");
	check(write(inner, "IN", 2) == 2 && has_text("file", "INside"), "a file of its own");
	check(open(test_path("fixed/x"), O_CREAT | O_WRONLY, 0600) < 0 && errno == EROFS, "read-only");
	check(own_ns() != outside, "its namespace");
	return 0;
}

static int pivoted(void *arg)
{
	int test = open(test_dir(), O_RDONLY | O_DIRECTORY);

	separate();
	need(!mount("root", test_path("root"), "tmpfs", 0, "size=100k") && !chdir(test_path("root")) &&
		     !mkdir("dir", 0700) && !syscall(SYS_pivot_root, ".", ".") && !umount2(".", MNT_DETACH) &&
		     !chdir("/dir"),
	     "pivot_root (errno %d)", errno);
	write_file("/dir/file", "of the root");
	need(!faccessat(test, ".", F_OK, 0) && close(openat(test, "at.pivoted", O_CREAT | O_WRONLY, 0600)) == 0,
	     "ready");
	while (faccessat(test, "go", F_OK, 0))
		sleep_ms(2);
	if (test_break() == 3)
		unlink("/dir/file");
	check(is_tmpfs("/"), "pivoted: the root");
	check(has_text("/dir/file", "of the root") && has_text("file", "of the root"), "pivoted: content");
	check(access("/proc", F_OK) < 0, "pivoted: it sees what is outside");
	return 0;
}

int main(int argc, char **argv)
{
	pid_t one, two;
	ino_t ns;

	test_init(argc, argv);
	need(!mkdir("more", 0700) && !mkdir("fixed", 0700) && !mkdir("root", 0700), "directories");
	write_file("below", "out");
	ns = own_ns();
	one = fork_task(grown, NULL);
	two = fork_task(pivoted, NULL);
	await_task("grown");
	await_task("pivoted");
	if (checkpoint_here() == 4)
		unshare(CLONE_NEWNS);
	check(own_ns() == ns, "another namespace than before");
	check(!is_mount(test_path("more")) && !is_mount(test_path("root")), "what children have mounted is visible");
	check(access(test_path("fixed"), W_OK) == 0, "read-only outside, too");
	join_task(one);
	join_task(two);
	test_done();
}
