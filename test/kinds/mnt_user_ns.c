// SPDX-License-Identifier: GPL-2.0-only
/*
 * A mount namespace that belongs to a user namespace of its own: owners, ACLs and file capabilities in a tmpfs are those
 * that are seen inside, and belong to its ids afterwards. It has entries of binfmt_misc of its own, which decide what is
 * executed.
 * test: breaks=4 options=--external,mnt[] restore-options=--external,mnt[],--root,/ ignore=fd/[0-9]+/ino|maps
 */
#include "checkpoint.h"
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <sys/xattr.h>

static const unsigned char capability[] = { 1, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 };

static void enter_user_ns(void)
{
	int go[2], ready[2];
	char path[64], c = 0;
	pid_t pid = getpid(), child;

	need(!pipe(go) && !pipe(ready), "pipes");
	child = fork();
	if (!child) {
		close(go[1]);
		if (read(go[0], &c, 1) != 1)
			_exit(1);
		snprintf(path, sizeof(path), "/proc/%d/uid_map", pid);
		write_file(path, "0 100000 1000\n5000 200000 10\n");
		snprintf(path, sizeof(path), "/proc/%d/gid_map", pid);
		write_file(path, "0 100000 1000\n");
		_exit(0);
	}
	need(!unshare(CLONE_NEWUSER) && write(go[1], "x", 1) == 1, "unshare");
	need(waitpid(child, NULL, 0) == child, "maps");
	close(go[0]);
	close(go[1]);
	close(ready[0]);
	close(ready[1]);
	need(!setresgid(0, 0, 0) && !setresuid(0, 0, 0) && !unshare(CLONE_NEWNS), "mount namespace");
	prctl(PR_SET_DUMPABLE, 1);
}

static void put(const char *path, uid_t uid, gid_t gid, mode_t mode)
{
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	need(fd >= 0 && write(fd, path, strlen(path)) > 0 && !fchown(fd, uid, gid) && !fchmod(fd, mode), "%s", path);
	close(fd);
}

static void check_file(const char *path, mode_t mode, uid_t uid, gid_t gid)
{
	struct stat st = { 0 };

	check(!lstat(path, &st) && st.st_mode == mode, "mode of %s: %o", path, st.st_mode);
	check(st.st_uid == uid && st.st_gid == gid, "owner of %s: %u:%u", path, st.st_uid, st.st_gid);
}

static const char *const formats[] = { "first", "second", "third", "status" };
static const char *const format_texts[] = {
	"enabled\ninterpreter /bin/true\nflags: OC\noffset 2\nmagic 41425a00\nmask ffff0fff\n",
	"disabled\ninterpreter /bin/false\nflags: P\nextension .xyz\n",
	"enabled\ninterpreter /bin/echo\nflags: \noffset 0\nmagic 23217f0a\n",
	"disabled\n",
};

static void put_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	need(write(fd, text, strlen(text)) == (ssize_t)strlen(text), "%s", path);
	close(fd);
}

static bool make_formats(void)
{
	mkdir("binfmt", 0755);
	if (mount("binfmt", "binfmt", "binfmt_misc", 0, NULL))
		return false;
	put_text("binfmt/register", ":first:M:2:AB\\x5a\\x00:\\xff\\xff\\x0f\\xff:/bin/true:OC");
	put_text("binfmt/register", ",second,E,,xyz,,/bin/false,P");
	put_text("binfmt/second", "0");
	put_text("binfmt/register", ":third:M:0:#!\\x7f\\x0a::/bin/echo:");
	put_text("binfmt/status", "0");
	return true;
}

static void check_formats(void)
{
	char path[40], got[300];

	for (int i = 0; i < 4; i++) {
		snprintf(path, sizeof(path), "binfmt/%s", formats[i]);
		int fd = open(path, O_RDONLY | O_CLOEXEC);
		ssize_t n = read(fd, got, sizeof(got) - 1);

		got[n > 0 ? n : 0] = 0;
		check(!strcmp(got, format_texts[i]), "%s: %s", path, got);
		close(fd);
	}
}

int main(int argc, char **argv)
{
	unsigned char got[40];
	struct stat st = { 0 };
	bool has_formats;

	test_init(argc, argv);
	chmod(".", 0777);
	mkdir("t", 0777);
	enter_user_ns();
	has_formats = make_formats();
	need(!mount("t", "t", "tmpfs", 0, "size=1m,mode=0711"), "tmpfs");
	put("t/root", 0, 0, 0640);
	put("t/other", 5003, 17, 04755);
	put("t/capable", 0, 0, 0755);
	need(!setxattr("t/capable", "security.capability", capability, sizeof(capability), 0), "capability");
	need(!setxattr("t/root", "user.of", "inside", 6, 0) || errno == EOPNOTSUPP, "user attribute");
	need(!mknod("t/whiteout", S_IFCHR, 0), "whiteout");
	mkdir("t/dir", 02770);
	need(!chown("t/dir", 999, 999), "chown");
	chown("t", 5, 6);

	switch (checkpoint_here()) {
	case 1:
		chown("t/other", 1, 1);
		break;
	case 2:
		removexattr("t/capable", "security.capability");
		break;
	case 3:
		chown("t", 0, 0);
		break;
	case 4:
		put_text("binfmt/third", "0");
		break;
	}

	check_file("t", S_IFDIR | 0711, 5, 6);
	check_file("t/root", S_IFREG | 0640, 0, 0);
	check_file("t/other", S_IFREG | 04755, 5003, 17);
	check_file("t/dir", S_IFDIR | 0750, 999, 999);
	check(!stat("t/whiteout", &st) && S_ISCHR(st.st_mode) && !st.st_rdev, "whiteout");
	check(getxattr("t/capable", "security.capability", got, sizeof(got)) == sizeof(capability) &&
		      !memcmp(got, capability, sizeof(capability)),
	      "capability");
	if (has_formats)
		check_formats();
	put("t/new", 5009, 999, 0600);
	check_file("t/new", S_IFREG | 0600, 5009, 999);
	test_done();
}
